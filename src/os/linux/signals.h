/* Every signal to its default, by the kernel's own call. Private to Linux. */
#ifndef PRI_OS_LINUX_SIGNALS_H
#define PRI_OS_LINUX_SIGNALS_H

/* All dispositions default, nothing blocked. Async-signal-safe. */
void pri_signals_reset(void);

#endif
