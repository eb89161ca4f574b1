/*
 * Every key that systemd 252 knows in a service's file, and ours: how its assignments add up, how
 * it is handled, and the reason where it is not carried out.
 *
 *   CARRY(section, key, kind, parser, which)
 *   IGNORE(section, key, reason)                        not carried out, and nobody minds
 *   LEAVE(section, key, level, kind, nothing, reason)   nothing: the words that ask for nothing, or
 *                                                       NULL; "no" is any word for it
 *
 * A number is what it says, 0 too, and asks for nothing only where systemd's default is that one.
 * What a process inherits (its scheduling, its OOM score) has no such word: the default is another
 * one for each who starts it.
 */
#ifndef UNIT_KEYS_H
#define UNIT_KEYS_H

/* clang-format off */
#define UNIT_LIMITS(CARRY)                                                                          \
    CARRY("Service", "LimitCPU", UNIT_LAST, unit_parse_limit, RLIMIT_CPU)                           \
    CARRY("Service", "LimitFSIZE", UNIT_LAST, unit_parse_limit, RLIMIT_FSIZE)                       \
    CARRY("Service", "LimitDATA", UNIT_LAST, unit_parse_limit, RLIMIT_DATA)                         \
    CARRY("Service", "LimitSTACK", UNIT_LAST, unit_parse_limit, RLIMIT_STACK)                       \
    CARRY("Service", "LimitCORE", UNIT_LAST, unit_parse_limit, RLIMIT_CORE)                         \
    CARRY("Service", "LimitRSS", UNIT_LAST, unit_parse_limit, RLIMIT_RSS)                           \
    CARRY("Service", "LimitNOFILE", UNIT_LAST, unit_parse_limit, RLIMIT_NOFILE)                     \
    CARRY("Service", "LimitAS", UNIT_LAST, unit_parse_limit, RLIMIT_AS)                             \
    CARRY("Service", "LimitNPROC", UNIT_LAST, unit_parse_limit, RLIMIT_NPROC)                       \
    CARRY("Service", "LimitMEMLOCK", UNIT_LAST, unit_parse_limit, RLIMIT_MEMLOCK)                   \
    CARRY("Service", "LimitLOCKS", UNIT_LAST, unit_parse_limit, RLIMIT_LOCKS)                       \
    CARRY("Service", "LimitSIGPENDING", UNIT_LAST, unit_parse_limit, RLIMIT_SIGPENDING)             \
    CARRY("Service", "LimitMSGQUEUE", UNIT_LAST, unit_parse_limit, RLIMIT_MSGQUEUE)                 \
    CARRY("Service", "LimitNICE", UNIT_LAST, unit_parse_limit, RLIMIT_NICE)                         \
    CARRY("Service", "LimitRTPRIO", UNIT_LAST, unit_parse_limit, RLIMIT_RTPRIO)                     \
    CARRY("Service", "LimitRTTIME", UNIT_LAST, unit_parse_limit, RLIMIT_RTTIME)

#define UNIT_CARRIED(CARRY)                                                                         \
    CARRY("Unit", "StartLimitIntervalSec", UNIT_LAST, unit_parse_start_interval, 0)                 \
    CARRY("Unit", "StartLimitInterval", UNIT_LAST, unit_parse_start_interval, 0)                    \
    CARRY("Unit", "StartLimitBurst", UNIT_LAST, unit_parse_start_burst, 0)                          \
    CARRY("Service", "Type", UNIT_LAST, unit_parse_type, 0)                                         \
    CARRY("Service", "BusName", UNIT_LAST, unit_parse_bus_name, 0)                                  \
    CARRY("Service", "RemainAfterExit", UNIT_LAST, unit_parse_remain, 0)                            \
    CARRY("Service", "PIDFile", UNIT_VALUE, unit_parse_pid_file, 0)                                 \
    CARRY("Service", "ExecStartPre", UNIT_LIST, unit_parse_exec, PRI_STEPS_START_PRE)               \
    CARRY("Service", "ExecStart", UNIT_LIST, unit_parse_exec, PRI_STEPS_START)                      \
    CARRY("Service", "ExecStartPost", UNIT_LIST, unit_parse_exec, PRI_STEPS_START_POST)             \
    CARRY("Service", "ExecStop", UNIT_LIST, unit_parse_exec, PRI_STEPS_STOP)                        \
    CARRY("Service", "ExecStopPost", UNIT_LIST, unit_parse_exec, PRI_STEPS_STOP_POST)               \
    CARRY("Service", "Restart", UNIT_LAST, unit_parse_restart, 0)                                   \
    CARRY("Service", "RestartSec", UNIT_LAST, unit_parse_restart_sec, 0)                            \
    CARRY("Service", "TimeoutStartSec", UNIT_LAST, unit_parse_timeout, 1)                           \
    CARRY("Service", "TimeoutStopSec", UNIT_LAST, unit_parse_timeout, 2)                            \
    CARRY("Service", "TimeoutSec", UNIT_LAST, unit_parse_timeout, 3)                                \
    CARRY("Service", "StartLimitInterval", UNIT_LAST, unit_parse_start_interval, 0)                 \
    CARRY("Service", "StartLimitBurst", UNIT_LAST, unit_parse_start_burst, 0)                       \
    CARRY("Service", "SuccessExitStatus", UNIT_LIST, unit_parse_ends, PRI_ENDS_SUCCESS)             \
    CARRY("Service", "RestartPreventExitStatus", UNIT_LIST, unit_parse_ends, PRI_ENDS_PREVENT)      \
    CARRY("Service", "RestartForceExitStatus", UNIT_LIST, unit_parse_ends, PRI_ENDS_FORCE)          \
    CARRY("Service", "KillMode", UNIT_VALUE, unit_parse_kill_mode, 0)                               \
    CARRY("Service", "KillSignal", UNIT_LAST, unit_parse_kill_signal, 0)                            \
    CARRY("Service", "RestartKillSignal", UNIT_LAST, unit_parse_other_signal, 0)                    \
    CARRY("Service", "FinalKillSignal", UNIT_LAST, unit_parse_other_signal, SIGKILL)                \
    CARRY("Service", "SendSIGKILL", UNIT_LAST, unit_parse_send_sigkill, 0)                          \
    CARRY("Service", "SendSIGHUP", UNIT_LAST, unit_parse_send_sighup, 0)                            \
    CARRY("Service", "IgnoreSIGPIPE", UNIT_LAST, unit_parse_ignore_sigpipe, 0)                      \
    CARRY("Service", "WorkingDirectory", UNIT_VALUE, unit_parse_working_directory, 0)               \
    CARRY("Service", "Environment", UNIT_LIST, unit_parse_environment, 0)                           \
    CARRY("Service", "EnvironmentFile", UNIT_LIST, unit_parse_environment_file, 0)                  \
    CARRY("Service", "UnsetEnvironment", UNIT_LIST, unit_parse_unset_environment, 0)                \
    CARRY("Service", "RuntimeDirectory", UNIT_LIST, unit_parse_directory, DIR_RUNTIME)              \
    CARRY("Service", "StateDirectory", UNIT_LIST, unit_parse_directory, DIR_STATE)                  \
    CARRY("Service", "CacheDirectory", UNIT_LIST, unit_parse_directory, DIR_CACHE)                  \
    CARRY("Service", "LogsDirectory", UNIT_LIST, unit_parse_directory, DIR_LOGS)                    \
    CARRY("Service", "ConfigurationDirectory", UNIT_LIST, unit_parse_directory, DIR_CONFIGURATION)  \
    CARRY("Service", "RuntimeDirectoryMode", UNIT_LAST, unit_parse_directory_mode, DIR_RUNTIME)     \
    CARRY("Service", "StateDirectoryMode", UNIT_LAST, unit_parse_directory_mode, DIR_STATE)         \
    CARRY("Service", "CacheDirectoryMode", UNIT_LAST, unit_parse_directory_mode, DIR_CACHE)         \
    CARRY("Service", "LogsDirectoryMode", UNIT_LAST, unit_parse_directory_mode, DIR_LOGS)           \
    CARRY("Service", "ConfigurationDirectoryMode", UNIT_LAST, unit_parse_directory_mode,            \
           DIR_CONFIGURATION)                                                                       \
    CARRY("Service", "RuntimeDirectoryPreserve", UNIT_LAST, unit_parse_preserve, 0)                 \
    CARRY("Service", "StandardInput", UNIT_LAST, unit_parse_input, 0)                               \
    CARRY("Service", "StandardOutput", UNIT_LAST, unit_parse_output, 0)                             \
    CARRY("Service", "StandardError", UNIT_LAST, unit_parse_output, 1)                              \
    CARRY("Service", "UMask", UNIT_LAST, unit_parse_umask, 0)                                       \
    CARRY("Service", "Nice", UNIT_VALUE, unit_parse_nice, 0)                                        \
    CARRY("Service", "User", UNIT_VALUE, unit_parse_user, 0)                                        \
    CARRY("Service", "Group", UNIT_VALUE, unit_parse_user, 1)                                       \
    UNIT_LIMITS(CARRY)                                                                              \
    CARRY("X-Procref", "Ready", UNIT_VALUE, unit_parse_ready, 0)                                    \
    CARRY("X-Procref", "Port", UNIT_VALUE, unit_parse_port, 0)                                      \
    CARRY("X-Procref", "Linger", UNIT_VALUE, unit_parse_linger, 0)                                  \
    CARRY("X-Procref", "Export", UNIT_LIST, unit_parse_export, 0)                                   \
    CARRY("X-Procref", "Requires", UNIT_LIST, unit_parse_requires, 0)                               \
    CARRY("X-Procref", "Health", UNIT_VALUE, unit_parse_health, 0)

#define REASON_DOCUMENTATION "documentation"
#define REASON_INSTALL "procref starts a service when somebody needs it: nothing is installed"
#define REASON_ORDER "how units are ordered and stopped together is the service manager's business"
#define REASON_REQUIRES "other units are not started: name what must run in [X-Procref] Requires="
#define REASON_OTHER_UNITS "other units are not looked at"
#define REASON_ACTION "nothing is rebooted or shut down"
#define REASON_CONDITION "it would be started without asking for this condition"
#define REASON_RELOAD "procref never reloads a service"
#define REASON_WATCHDOG "there is no watchdog: [X-Procref] Health= tells whether it works"
#define REASON_TIMEOUT "at a timeout KillSignal= is sent, then SIGKILL"
#define REASON_USER_ONLY "there is only one user and one root folder"
#define REASON_FOUND "procref finds out by itself"
#define REASON_SOCKETS "no socket is passed to the service"
#define REASON_DESCRIPTORS "no descriptor is passed to the service or kept for it"
#define REASON_PASSED "the environment of who starts the service is passed anyway"
#define REASON_ROOT "the service would see other files, or another network, than it expects"
#define REASON_USER "the service runs as the user who starts it, with that user's groups and rights"
#define REASON_MEANING "not carried out: the service would not be what this file says"
#define REASON_TUNING "not carried out"
#define REASON_TERMINAL "the service has no terminal"
#define REASON_LOG "output goes to the service's own log, not to the journal"
#define REASON_HARDENING "this protection is not applied"
#define REASON_CGROUP "control groups are the service manager's: this is not applied"

#define UNIT_LEFT_OUT(IGNORE, LEAVE)                                                                \
    IGNORE("Unit", "Description", REASON_DOCUMENTATION)                                             \
    IGNORE("Unit", "Documentation", REASON_DOCUMENTATION)                                           \
    IGNORE("Unit", "SourcePath", REASON_DOCUMENTATION)                                              \
    IGNORE("Unit", "After", REASON_ORDER)                                                           \
    IGNORE("Unit", "Before", REASON_ORDER)                                                          \
    IGNORE("Unit", "Wants", REASON_ORDER)                                                           \
    IGNORE("Unit", "PartOf", REASON_ORDER)                                                          \
    IGNORE("Unit", "Conflicts", REASON_ORDER)                                                       \
    IGNORE("Unit", "Upholds", REASON_ORDER)                                                         \
    IGNORE("Unit", "DefaultDependencies", REASON_ORDER)                                             \
    IGNORE("Unit", "PropagatesReloadTo", REASON_ORDER)                                              \
    IGNORE("Unit", "PropagateReloadTo", REASON_ORDER)                                               \
    IGNORE("Unit", "ReloadPropagatedFrom", REASON_ORDER)                                            \
    IGNORE("Unit", "PropagateReloadFrom", REASON_ORDER)                                             \
    IGNORE("Unit", "PropagatesStopTo", REASON_ORDER)                                                \
    IGNORE("Unit", "StopPropagatedFrom", REASON_ORDER)                                              \
    IGNORE("Unit", "StopWhenUnneeded", REASON_ORDER)                                                \
    IGNORE("Unit", "RefuseManualStart", REASON_ORDER)                                               \
    IGNORE("Unit", "RefuseManualStop", REASON_ORDER)                                                \
    IGNORE("Unit", "AllowIsolate", REASON_ORDER)                                                    \
    IGNORE("Unit", "IgnoreOnIsolate", REASON_ORDER)                                                 \
    IGNORE("Unit", "OnSuccessJobMode", REASON_ORDER)                                                \
    IGNORE("Unit", "OnFailureJobMode", REASON_ORDER)                                                \
    IGNORE("Unit", "OnFailureIsolate", REASON_ORDER)                                                \
    IGNORE("Unit", "CollectMode", REASON_ORDER)                                                     \
    IGNORE("Unit", "JobTimeoutSec", REASON_ORDER)                                                   \
    IGNORE("Unit", "JobRunningTimeoutSec", REASON_ORDER)                                            \
    IGNORE("Unit", "JobTimeoutRebootArgument", REASON_ORDER)                                        \
    IGNORE("Unit", "RebootArgument", REASON_ORDER)                                                  \
    IGNORE("Unit", "FailureActionExitStatus", REASON_ORDER)                                         \
    IGNORE("Unit", "SuccessActionExitStatus", REASON_ORDER)                                         \
    IGNORE("Unit", "RequiresOverridable", REASON_ORDER)                                             \
    IGNORE("Unit", "RequisiteOverridable", REASON_ORDER)                                            \
    LEAVE("Unit", "Requires", UNIT_WARNING, UNIT_MORE, NULL, REASON_REQUIRES)                       \
    LEAVE("Unit", "Requisite", UNIT_WARNING, UNIT_MORE, NULL, REASON_REQUIRES)                      \
    LEAVE("Unit", "BindsTo", UNIT_WARNING, UNIT_MORE, NULL, REASON_REQUIRES)                        \
    LEAVE("Unit", "BindTo", UNIT_WARNING, UNIT_MORE, NULL, REASON_REQUIRES)                         \
    LEAVE("Unit", "RequiresMountsFor", UNIT_WARNING, UNIT_MORE, NULL, REASON_REQUIRES)              \
    LEAVE("Unit", "OnFailure", UNIT_WARNING, UNIT_MORE, NULL, REASON_OTHER_UNITS)                   \
    LEAVE("Unit", "OnSuccess", UNIT_WARNING, UNIT_MORE, NULL, REASON_OTHER_UNITS)                   \
    LEAVE("Unit", "JoinsNamespaceOf", UNIT_WARNING, UNIT_MORE, NULL, REASON_OTHER_UNITS)            \
    LEAVE("Unit", "JobTimeoutAction", UNIT_WARNING, UNIT_LAST, "none", REASON_ACTION)               \
    LEAVE("Unit", "StartLimitAction", UNIT_WARNING, UNIT_LAST, "none", REASON_ACTION)               \
    LEAVE("Unit", "FailureAction", UNIT_WARNING, UNIT_LAST, "none", REASON_ACTION)                  \
    LEAVE("Unit", "SuccessAction", UNIT_WARNING, UNIT_LAST, "none", REASON_ACTION)                  \
    LEAVE("Unit", "ConditionPathExists", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)           \
    LEAVE("Unit", "ConditionPathExistsGlob", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)       \
    LEAVE("Unit", "ConditionPathIsDirectory", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)      \
    LEAVE("Unit", "ConditionPathIsSymbolicLink", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)   \
    LEAVE("Unit", "ConditionPathIsMountPoint", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)     \
    LEAVE("Unit", "ConditionPathIsReadWrite", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)      \
    LEAVE("Unit", "ConditionPathIsEncrypted", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)      \
    LEAVE("Unit", "ConditionDirectoryNotEmpty", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)    \
    LEAVE("Unit", "ConditionFileNotEmpty", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)         \
    LEAVE("Unit", "ConditionFileIsExecutable", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)     \
    LEAVE("Unit", "ConditionNeedsUpdate", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)          \
    LEAVE("Unit", "ConditionFirstBoot", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)            \
    LEAVE("Unit", "ConditionArchitecture", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)         \
    LEAVE("Unit", "ConditionFirmware", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)             \
    LEAVE("Unit", "ConditionVirtualization", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)       \
    LEAVE("Unit", "ConditionHost", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                 \
    LEAVE("Unit", "ConditionKernelCommandLine", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)    \
    LEAVE("Unit", "ConditionKernelVersion", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)        \
    LEAVE("Unit", "ConditionCredential", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)           \
    LEAVE("Unit", "ConditionSecurity", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)             \
    LEAVE("Unit", "ConditionCapability", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)           \
    LEAVE("Unit", "ConditionACPower", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)              \
    LEAVE("Unit", "ConditionMemory", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)               \
    LEAVE("Unit", "ConditionCPUFeature", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)           \
    LEAVE("Unit", "ConditionCPUs", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                 \
    LEAVE("Unit", "ConditionEnvironment", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)          \
    LEAVE("Unit", "ConditionUser", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                 \
    LEAVE("Unit", "ConditionGroup", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                \
    LEAVE("Unit", "ConditionControlGroupController", UNIT_REFUSED, UNIT_LIST, NULL,                 \
           REASON_CONDITION)                                                                        \
    LEAVE("Unit", "ConditionOSRelease", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)            \
    LEAVE("Unit", "ConditionMemoryPressure", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)       \
    LEAVE("Unit", "ConditionCPUPressure", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)          \
    LEAVE("Unit", "ConditionIOPressure", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)           \
    LEAVE("Unit", "AssertPathExists", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)              \
    LEAVE("Unit", "AssertPathExistsGlob", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)          \
    LEAVE("Unit", "AssertPathIsDirectory", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)         \
    LEAVE("Unit", "AssertPathIsSymbolicLink", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)      \
    LEAVE("Unit", "AssertPathIsMountPoint", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)        \
    LEAVE("Unit", "AssertPathIsReadWrite", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)         \
    LEAVE("Unit", "AssertPathIsEncrypted", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)         \
    LEAVE("Unit", "AssertDirectoryNotEmpty", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)       \
    LEAVE("Unit", "AssertFileNotEmpty", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)            \
    LEAVE("Unit", "AssertFileIsExecutable", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)        \
    LEAVE("Unit", "AssertNeedsUpdate", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)             \
    LEAVE("Unit", "AssertFirstBoot", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)               \
    LEAVE("Unit", "AssertArchitecture", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)            \
    LEAVE("Unit", "AssertVirtualization", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)          \
    LEAVE("Unit", "AssertHost", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                    \
    LEAVE("Unit", "AssertKernelCommandLine", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)       \
    LEAVE("Unit", "AssertKernelVersion", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)           \
    LEAVE("Unit", "AssertCredential", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)              \
    LEAVE("Unit", "AssertSecurity", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                \
    LEAVE("Unit", "AssertCapability", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)              \
    LEAVE("Unit", "AssertACPower", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                 \
    LEAVE("Unit", "AssertMemory", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                  \
    LEAVE("Unit", "AssertCPUFeature", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)              \
    LEAVE("Unit", "AssertCPUs", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                    \
    LEAVE("Unit", "AssertEnvironment", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)             \
    LEAVE("Unit", "AssertUser", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                    \
    LEAVE("Unit", "AssertGroup", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)                   \
    LEAVE("Unit", "AssertControlGroupController", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)  \
    LEAVE("Unit", "AssertOSRelease", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)               \
    LEAVE("Unit", "AssertMemoryPressure", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)          \
    LEAVE("Unit", "AssertCPUPressure", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)             \
    LEAVE("Unit", "AssertIOPressure", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)              \
    IGNORE("Service", "ExecReload", REASON_RELOAD)                                                  \
    LEAVE("Service", "ExecCondition", UNIT_REFUSED, UNIT_LIST, NULL, REASON_CONDITION)              \
    IGNORE("Service", "TimeoutAbortSec", REASON_WATCHDOG)                                           \
    IGNORE("Service", "TimeoutCleanSec", REASON_WATCHDOG)                                           \
    IGNORE("Service", "RuntimeRandomizedExtraSec", REASON_WATCHDOG)                                 \
    IGNORE("Service", "WatchdogSignal", REASON_WATCHDOG)                                            \
    LEAVE("Service", "WatchdogSec", UNIT_WARNING, UNIT_LAST, "0 infinity", REASON_WATCHDOG)         \
    LEAVE("Service", "RuntimeMaxSec", UNIT_REFUSED, UNIT_LAST, "infinity", REASON_MEANING)          \
    LEAVE("Service", "StartLimitAction", UNIT_WARNING, UNIT_LAST, "none", REASON_ACTION)            \
    LEAVE("Service", "FailureAction", UNIT_WARNING, UNIT_LAST, "none", REASON_ACTION)               \
    IGNORE("Service", "RebootArgument", REASON_ACTION)                                              \
    LEAVE("Service", "TimeoutStartFailureMode", UNIT_WARNING, UNIT_LAST, "terminate",               \
           REASON_TIMEOUT)                                                                          \
    LEAVE("Service", "TimeoutStopFailureMode", UNIT_WARNING, UNIT_LAST, "terminate",                \
           REASON_TIMEOUT)                                                                          \
    LEAVE("Service", "ExitType", UNIT_REFUSED, UNIT_LAST, "main", REASON_MEANING)                   \
    IGNORE("Service", "PermissionsStartOnly", REASON_USER_ONLY)                                     \
    IGNORE("Service", "RootDirectoryStartOnly", REASON_USER_ONLY)                                   \
    IGNORE("Service", "GuessMainPID", REASON_FOUND)                                                 \
    IGNORE("Service", "NotifyAccess", REASON_FOUND)                                                 \
    IGNORE("Service", "OOMPolicy", REASON_FOUND)                                                    \
    LEAVE("Service", "Sockets", UNIT_REFUSED, UNIT_MORE, NULL, REASON_SOCKETS)                      \
    LEAVE("Service", "USBFunctionDescriptors", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_SOCKETS)      \
    LEAVE("Service", "USBFunctionStrings", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_SOCKETS)          \
    LEAVE("Service", "NonBlocking", UNIT_WARNING, UNIT_LAST, "no", REASON_DESCRIPTORS)              \
    LEAVE("Service", "FileDescriptorStoreMax", UNIT_WARNING, UNIT_LAST, "0", REASON_DESCRIPTORS)    \
    IGNORE("Service", "PassEnvironment", REASON_PASSED)                                             \
    LEAVE("Service", "RootDirectory", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_ROOT)                  \
    LEAVE("Service", "RootImage", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_ROOT)                      \
    LEAVE("Service", "RootImageOptions", UNIT_REFUSED, UNIT_LIST, NULL, REASON_ROOT)                \
    LEAVE("Service", "RootHash", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_ROOT)                       \
    LEAVE("Service", "RootHashSignature", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_ROOT)              \
    LEAVE("Service", "RootVerity", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_ROOT)                     \
    LEAVE("Service", "ExtensionDirectories", UNIT_REFUSED, UNIT_LIST, NULL, REASON_ROOT)            \
    LEAVE("Service", "ExtensionImages", UNIT_REFUSED, UNIT_LIST, NULL, REASON_ROOT)                 \
    LEAVE("Service", "MountImages", UNIT_REFUSED, UNIT_LIST, NULL, REASON_ROOT)                     \
    LEAVE("Service", "BindPaths", UNIT_REFUSED, UNIT_LIST, NULL, REASON_ROOT)                       \
    LEAVE("Service", "BindReadOnlyPaths", UNIT_REFUSED, UNIT_LIST, NULL, REASON_ROOT)               \
    LEAVE("Service", "TemporaryFileSystem", UNIT_REFUSED, UNIT_LIST, NULL, REASON_ROOT)             \
    LEAVE("Service", "PrivateTmp", UNIT_REFUSED, UNIT_LAST, "no", REASON_ROOT)                      \
    LEAVE("Service", "PrivateNetwork", UNIT_REFUSED, UNIT_LAST, "no", REASON_ROOT)                  \
    LEAVE("Service", "PrivateIPC", UNIT_REFUSED, UNIT_LAST, "no", REASON_ROOT)                      \
    LEAVE("Service", "NetworkNamespacePath", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_ROOT)           \
    LEAVE("Service", "IPCNamespacePath", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_ROOT)               \
    LEAVE("Service", "DynamicUser", UNIT_REFUSED, UNIT_LAST, "no", REASON_USER)                     \
    LEAVE("Service", "SupplementaryGroups", UNIT_REFUSED, UNIT_LIST, NULL, REASON_USER)             \
    LEAVE("Service", "AmbientCapabilities", UNIT_REFUSED, UNIT_LIST, NULL, REASON_USER)             \
    LEAVE("Service", "ExecSearchPath", UNIT_REFUSED, UNIT_LIST, NULL, REASON_MEANING)               \
    LEAVE("Service", "StandardInputText", UNIT_REFUSED, UNIT_LIST, NULL, REASON_MEANING)            \
    LEAVE("Service", "StandardInputData", UNIT_REFUSED, UNIT_LIST, NULL, REASON_MEANING)            \
    LEAVE("Service", "SetCredential", UNIT_REFUSED, UNIT_LIST, NULL, REASON_MEANING)                \
    LEAVE("Service", "SetCredentialEncrypted", UNIT_REFUSED, UNIT_LIST, NULL, REASON_MEANING)       \
    LEAVE("Service", "LoadCredential", UNIT_REFUSED, UNIT_LIST, NULL, REASON_MEANING)               \
    LEAVE("Service", "LoadCredentialEncrypted", UNIT_REFUSED, UNIT_LIST, NULL, REASON_MEANING)      \
    LEAVE("Service", "Personality", UNIT_REFUSED, UNIT_VALUE, NULL, REASON_MEANING)                 \
    LEAVE("Service", "OOMScoreAdjust", UNIT_WARNING, UNIT_VALUE, NULL, REASON_TUNING)               \
    LEAVE("Service", "CoredumpFilter", UNIT_WARNING, UNIT_LIST, NULL, REASON_TUNING)                \
    LEAVE("Service", "IOSchedulingClass", UNIT_WARNING, UNIT_VALUE, NULL, REASON_TUNING)            \
    LEAVE("Service", "IOSchedulingPriority", UNIT_WARNING, UNIT_VALUE, NULL, REASON_TUNING)         \
    LEAVE("Service", "CPUSchedulingPolicy", UNIT_WARNING, UNIT_VALUE, NULL, REASON_TUNING)          \
    LEAVE("Service", "CPUSchedulingPriority", UNIT_WARNING, UNIT_LAST, "0", REASON_TUNING)          \
    LEAVE("Service", "CPUSchedulingResetOnFork", UNIT_WARNING, UNIT_LAST, "no", REASON_TUNING)      \
    LEAVE("Service", "CPUAffinity", UNIT_WARNING, UNIT_LIST, NULL, REASON_TUNING)                   \
    LEAVE("Service", "NUMAPolicy", UNIT_WARNING, UNIT_VALUE, NULL, REASON_TUNING)                   \
    LEAVE("Service", "NUMAMask", UNIT_WARNING, UNIT_LIST, NULL, REASON_TUNING)                      \
    LEAVE("Service", "TimerSlackNSec", UNIT_WARNING, UNIT_LAST, NULL, REASON_TUNING)                \
    IGNORE("Service", "TTYPath", REASON_TERMINAL)                                                   \
    IGNORE("Service", "TTYReset", REASON_TERMINAL)                                                  \
    IGNORE("Service", "TTYVHangup", REASON_TERMINAL)                                                \
    IGNORE("Service", "TTYVTDisallocate", REASON_TERMINAL)                                          \
    IGNORE("Service", "TTYRows", REASON_TERMINAL)                                                   \
    IGNORE("Service", "TTYColumns", REASON_TERMINAL)                                                \
    IGNORE("Service", "UtmpIdentifier", REASON_TERMINAL)                                            \
    IGNORE("Service", "UtmpMode", REASON_TERMINAL)                                                  \
    IGNORE("Service", "SyslogIdentifier", REASON_LOG)                                               \
    IGNORE("Service", "SyslogFacility", REASON_LOG)                                                 \
    IGNORE("Service", "SyslogLevel", REASON_LOG)                                                    \
    IGNORE("Service", "SyslogLevelPrefix", REASON_LOG)                                              \
    IGNORE("Service", "LogLevelMax", REASON_LOG)                                                    \
    IGNORE("Service", "LogRateLimitIntervalSec", REASON_LOG)                                        \
    IGNORE("Service", "LogRateLimitBurst", REASON_LOG)                                              \
    IGNORE("Service", "LogExtraFields", REASON_LOG)                                                 \
    IGNORE("Service", "LogNamespace", REASON_LOG)                                                   \
    LEAVE("Service", "SecureBits", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)                 \
    LEAVE("Service", "CapabilityBoundingSet", UNIT_WARNING, UNIT_EACH, "~", REASON_HARDENING)       \
    LEAVE("Service", "NoNewPrivileges", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)            \
    LEAVE("Service", "KeyringMode", UNIT_WARNING, UNIT_LAST, "inherit", REASON_HARDENING)           \
    LEAVE("Service", "ProtectProc", UNIT_WARNING, UNIT_LAST, "default", REASON_HARDENING)           \
    LEAVE("Service", "ProcSubset", UNIT_WARNING, UNIT_LAST, "all", REASON_HARDENING)                \
    LEAVE("Service", "SystemCallFilter", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)           \
    LEAVE("Service", "SystemCallArchitectures", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)    \
    LEAVE("Service", "SystemCallErrorNumber", UNIT_WARNING, UNIT_VALUE, NULL, REASON_HARDENING)     \
    LEAVE("Service", "SystemCallLog", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)              \
    LEAVE("Service", "MemoryDenyWriteExecute", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)     \
    LEAVE("Service", "RestrictNamespaces", UNIT_WARNING, UNIT_LIST, "no", REASON_HARDENING)         \
    LEAVE("Service", "RestrictRealtime", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)           \
    LEAVE("Service", "RestrictSUIDSGID", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)           \
    LEAVE("Service", "RestrictAddressFamilies", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)    \
    LEAVE("Service", "LockPersonality", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)            \
    LEAVE("Service", "RestrictFileSystems", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)        \
    LEAVE("Service", "ReadWriteDirectories", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)       \
    LEAVE("Service", "ReadOnlyDirectories", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)        \
    LEAVE("Service", "InaccessibleDirectories", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)    \
    LEAVE("Service", "ReadWritePaths", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)             \
    LEAVE("Service", "ReadOnlyPaths", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)              \
    LEAVE("Service", "InaccessiblePaths", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)          \
    LEAVE("Service", "ExecPaths", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)                  \
    LEAVE("Service", "NoExecPaths", UNIT_WARNING, UNIT_LIST, NULL, REASON_HARDENING)                \
    LEAVE("Service", "PrivateDevices", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)             \
    LEAVE("Service", "ProtectKernelTunables", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)      \
    LEAVE("Service", "ProtectKernelModules", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)       \
    LEAVE("Service", "ProtectKernelLogs", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)          \
    LEAVE("Service", "ProtectClock", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)               \
    LEAVE("Service", "ProtectControlGroups", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)       \
    LEAVE("Service", "PrivateUsers", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)               \
    LEAVE("Service", "PrivateMounts", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)              \
    LEAVE("Service", "ProtectSystem", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)              \
    LEAVE("Service", "ProtectHome", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)                \
    LEAVE("Service", "MountFlags", UNIT_WARNING, UNIT_LAST, "shared", REASON_HARDENING)             \
    LEAVE("Service", "MountAPIVFS", UNIT_WARNING, UNIT_VALUE, "no", REASON_HARDENING)               \
    LEAVE("Service", "RemoveIPC", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)                  \
    LEAVE("Service", "PAMName", UNIT_WARNING, UNIT_VALUE, NULL, REASON_HARDENING)                   \
    LEAVE("Service", "SELinuxContext", UNIT_WARNING, UNIT_VALUE, NULL, REASON_HARDENING)            \
    LEAVE("Service", "AppArmorProfile", UNIT_WARNING, UNIT_VALUE, NULL, REASON_HARDENING)           \
    LEAVE("Service", "SmackProcessLabel", UNIT_WARNING, UNIT_VALUE, NULL, REASON_HARDENING)         \
    LEAVE("Service", "ProtectHostname", UNIT_WARNING, UNIT_LAST, "no", REASON_HARDENING)            \
    IGNORE("Service", "Slice", REASON_CGROUP)                                                       \
    IGNORE("Service", "CPUAccounting", REASON_CGROUP)                                               \
    IGNORE("Service", "MemoryAccounting", REASON_CGROUP)                                            \
    IGNORE("Service", "IOAccounting", REASON_CGROUP)                                                \
    IGNORE("Service", "BlockIOAccounting", REASON_CGROUP)                                           \
    IGNORE("Service", "TasksAccounting", REASON_CGROUP)                                             \
    IGNORE("Service", "IPAccounting", REASON_CGROUP)                                                \
    IGNORE("Service", "DisableControllers", REASON_CGROUP)                                          \
    LEAVE("Service", "AllowedCPUs", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)                   \
    LEAVE("Service", "StartupAllowedCPUs", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)            \
    LEAVE("Service", "AllowedMemoryNodes", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)            \
    LEAVE("Service", "StartupAllowedMemoryNodes", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)     \
    LEAVE("Service", "CPUWeight", UNIT_WARNING, UNIT_VALUE, "100", REASON_CGROUP)                   \
    LEAVE("Service", "StartupCPUWeight", UNIT_WARNING, UNIT_VALUE, NULL, REASON_CGROUP)             \
    LEAVE("Service", "CPUShares", UNIT_WARNING, UNIT_VALUE, "1024", REASON_CGROUP)                  \
    LEAVE("Service", "StartupCPUShares", UNIT_WARNING, UNIT_VALUE, NULL, REASON_CGROUP)             \
    LEAVE("Service", "CPUQuota", UNIT_WARNING, UNIT_VALUE, NULL, REASON_CGROUP)                     \
    LEAVE("Service", "CPUQuotaPeriodSec", UNIT_WARNING, UNIT_VALUE, "infinity", REASON_CGROUP)      \
    LEAVE("Service", "MemoryMin", UNIT_WARNING, UNIT_VALUE, "0", REASON_CGROUP)                     \
    LEAVE("Service", "DefaultMemoryMin", UNIT_WARNING, UNIT_VALUE, "0", REASON_CGROUP)              \
    LEAVE("Service", "DefaultMemoryLow", UNIT_WARNING, UNIT_VALUE, "0", REASON_CGROUP)              \
    LEAVE("Service", "MemoryLow", UNIT_WARNING, UNIT_VALUE, "0", REASON_CGROUP)                     \
    LEAVE("Service", "MemoryHigh", UNIT_WARNING, UNIT_VALUE, "infinity", REASON_CGROUP)             \
    LEAVE("Service", "MemoryMax", UNIT_WARNING, UNIT_VALUE, "infinity", REASON_CGROUP)              \
    LEAVE("Service", "MemorySwapMax", UNIT_WARNING, UNIT_VALUE, "infinity", REASON_CGROUP)          \
    LEAVE("Service", "MemoryLimit", UNIT_WARNING, UNIT_VALUE, "infinity", REASON_CGROUP)            \
    LEAVE("Service", "DeviceAllow", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)                   \
    LEAVE("Service", "DevicePolicy", UNIT_WARNING, UNIT_LAST, "auto", REASON_CGROUP)                \
    LEAVE("Service", "IOWeight", UNIT_WARNING, UNIT_VALUE, "100", REASON_CGROUP)                    \
    LEAVE("Service", "StartupIOWeight", UNIT_WARNING, UNIT_VALUE, NULL, REASON_CGROUP)              \
    LEAVE("Service", "IODeviceWeight", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)                \
    LEAVE("Service", "IOReadBandwidthMax", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)            \
    LEAVE("Service", "IOWriteBandwidthMax", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)           \
    LEAVE("Service", "IOReadIOPSMax", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)                 \
    LEAVE("Service", "IOWriteIOPSMax", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)                \
    LEAVE("Service", "IODeviceLatencyTargetSec", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)      \
    LEAVE("Service", "BlockIOWeight", UNIT_WARNING, UNIT_VALUE, "500", REASON_CGROUP)               \
    LEAVE("Service", "StartupBlockIOWeight", UNIT_WARNING, UNIT_VALUE, NULL, REASON_CGROUP)         \
    LEAVE("Service", "BlockIODeviceWeight", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)           \
    LEAVE("Service", "BlockIOReadBandwidth", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)          \
    LEAVE("Service", "BlockIOWriteBandwidth", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)         \
    LEAVE("Service", "TasksMax", UNIT_WARNING, UNIT_VALUE, "infinity", REASON_CGROUP)               \
    LEAVE("Service", "Delegate", UNIT_WARNING, UNIT_EACH, "no", REASON_CGROUP)                      \
    LEAVE("Service", "IPAddressAllow", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)                \
    LEAVE("Service", "IPAddressDeny", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)                 \
    LEAVE("Service", "IPIngressFilterPath", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)           \
    LEAVE("Service", "IPEgressFilterPath", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)            \
    LEAVE("Service", "ManagedOOMSwap", UNIT_WARNING, UNIT_VALUE, "auto", REASON_CGROUP)             \
    LEAVE("Service", "ManagedOOMMemoryPressure", UNIT_WARNING, UNIT_VALUE, "auto", REASON_CGROUP)   \
    LEAVE("Service", "ManagedOOMMemoryPressureLimit", UNIT_WARNING, UNIT_VALUE, NULL,               \
           REASON_CGROUP)                                                                           \
    LEAVE("Service", "ManagedOOMPreference", UNIT_WARNING, UNIT_LAST, "none", REASON_CGROUP)        \
    LEAVE("Service", "BPFProgram", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)                    \
    LEAVE("Service", "SocketBindAllow", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)               \
    LEAVE("Service", "SocketBindDeny", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)                \
    LEAVE("Service", "RestrictNetworkInterfaces", UNIT_WARNING, UNIT_LIST, NULL, REASON_CGROUP)     \
    IGNORE("Install", "Alias", REASON_INSTALL)                                                      \
    IGNORE("Install", "WantedBy", REASON_INSTALL)                                                   \
    IGNORE("Install", "RequiredBy", REASON_INSTALL)                                                 \
    IGNORE("Install", "Also", REASON_INSTALL)                                                       \
    IGNORE("Install", "DefaultInstance", REASON_INSTALL)
/* clang-format on */

#endif
