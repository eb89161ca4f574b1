/*
 * Named points at which a crash may split a step. In builds for tests, PROCREF_CRASH=NAME@FILE
 * kills the process at the point NAME if it can create FILE, so exactly one process dies there
 * once. Several are separated by ';'. PROCREF_FAULT=NAME makes one thing go wrong all the time. In
 * releases this is nothing.
 */
#ifndef PRI_CRASH_H
#define PRI_CRASH_H

#ifdef PRI_CRASH_POINTS
#include <stdbool.h>
void pri_crash_point(const char *name);
bool pri_fault(const char *name);
#define PRI_CRASH_POINT(name) pri_crash_point(name)
#else
#define PRI_CRASH_POINT(name) ((void)0)
#define pri_fault(name) false
#endif

#endif
