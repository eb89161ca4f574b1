/*
 * Every key that systemd 252 knows in a service's file, and ours: how it is handled, and the reason
 * where it is not carried out.
 *
 *   CARRY(section, key, parser, which)
 *   LEAVE(section, key, level, harmless, reason)   harmless: a value that asks for nothing, or
 * NULL;
 *                                                  "", false values and "infinity" never do
 */
#ifndef UNIT_KEYS_H
#define UNIT_KEYS_H

/* clang-format off */
#define UNIT_LIMITS(CARRY)                                                                          \
    CARRY("Service", "LimitCPU", unit_parse_limit, RLIMIT_CPU)                                      \
    CARRY("Service", "LimitFSIZE", unit_parse_limit, RLIMIT_FSIZE)                                  \
    CARRY("Service", "LimitDATA", unit_parse_limit, RLIMIT_DATA)                                    \
    CARRY("Service", "LimitSTACK", unit_parse_limit, RLIMIT_STACK)                                  \
    CARRY("Service", "LimitCORE", unit_parse_limit, RLIMIT_CORE)                                    \
    CARRY("Service", "LimitRSS", unit_parse_limit, RLIMIT_RSS)                                      \
    CARRY("Service", "LimitNOFILE", unit_parse_limit, RLIMIT_NOFILE)                                \
    CARRY("Service", "LimitAS", unit_parse_limit, RLIMIT_AS)                                        \
    CARRY("Service", "LimitNPROC", unit_parse_limit, RLIMIT_NPROC)                                  \
    CARRY("Service", "LimitMEMLOCK", unit_parse_limit, RLIMIT_MEMLOCK)                              \
    CARRY("Service", "LimitLOCKS", unit_parse_limit, RLIMIT_LOCKS)                                  \
    CARRY("Service", "LimitSIGPENDING", unit_parse_limit, RLIMIT_SIGPENDING)                        \
    CARRY("Service", "LimitMSGQUEUE", unit_parse_limit, RLIMIT_MSGQUEUE)                            \
    CARRY("Service", "LimitNICE", unit_parse_limit, RLIMIT_NICE)                                    \
    CARRY("Service", "LimitRTPRIO", unit_parse_limit, RLIMIT_RTPRIO)                                \
    CARRY("Service", "LimitRTTIME", unit_parse_limit, RLIMIT_RTTIME)

#define UNIT_CARRIED(CARRY)                                                                         \
    CARRY("Unit", "StartLimitIntervalSec", unit_parse_start_interval, 0)                            \
    CARRY("Unit", "StartLimitInterval", unit_parse_start_interval, 0)                               \
    CARRY("Unit", "StartLimitBurst", unit_parse_start_burst, 0)                                     \
    CARRY("Service", "Type", unit_parse_type, 0)                                                    \
    CARRY("Service", "BusName", unit_parse_bus_name, 0)                                             \
    CARRY("Service", "RemainAfterExit", unit_parse_remain, 0)                                       \
    CARRY("Service", "PIDFile", unit_parse_pid_file, 0)                                             \
    CARRY("Service", "ExecStartPre", unit_parse_exec, PRI_STEPS_START_PRE)                          \
    CARRY("Service", "ExecStart", unit_parse_exec, PRI_STEPS_START)                                 \
    CARRY("Service", "ExecStartPost", unit_parse_exec, PRI_STEPS_START_POST)                        \
    CARRY("Service", "ExecStop", unit_parse_exec, PRI_STEPS_STOP)                                   \
    CARRY("Service", "ExecStopPost", unit_parse_exec, PRI_STEPS_STOP_POST)                          \
    CARRY("Service", "Restart", unit_parse_restart, 0)                                              \
    CARRY("Service", "RestartSec", unit_parse_restart_sec, 0)                                       \
    CARRY("Service", "TimeoutStartSec", unit_parse_timeout, 1)                                      \
    CARRY("Service", "TimeoutStopSec", unit_parse_timeout, 2)                                       \
    CARRY("Service", "TimeoutSec", unit_parse_timeout, 3)                                           \
    CARRY("Service", "StartLimitInterval", unit_parse_start_interval, 0)                            \
    CARRY("Service", "StartLimitBurst", unit_parse_start_burst, 0)                                  \
    CARRY("Service", "SuccessExitStatus", unit_parse_success, 0)                                    \
    CARRY("Service", "KillMode", unit_parse_kill_mode, 0)                                           \
    CARRY("Service", "KillSignal", unit_parse_kill_signal, 0)                                       \
    CARRY("Service", "RestartKillSignal", unit_parse_other_signal, 0)                               \
    CARRY("Service", "FinalKillSignal", unit_parse_other_signal, SIGKILL)                           \
    CARRY("Service", "SendSIGKILL", unit_parse_send_sigkill, 0)                                     \
    CARRY("Service", "SendSIGHUP", unit_parse_send_sighup, 0)                                       \
    CARRY("Service", "IgnoreSIGPIPE", unit_parse_ignore_sigpipe, 0)                                 \
    CARRY("Service", "WorkingDirectory", unit_parse_working_directory, 0)                           \
    CARRY("Service", "Environment", unit_parse_environment, 0)                                      \
    CARRY("Service", "EnvironmentFile", unit_parse_environment_file, 0)                             \
    CARRY("Service", "UnsetEnvironment", unit_parse_unset_environment, 0)                           \
    CARRY("Service", "RuntimeDirectory", unit_parse_directory, DIR_RUNTIME)                         \
    CARRY("Service", "StateDirectory", unit_parse_directory, DIR_STATE)                             \
    CARRY("Service", "CacheDirectory", unit_parse_directory, DIR_CACHE)                             \
    CARRY("Service", "LogsDirectory", unit_parse_directory, DIR_LOGS)                               \
    CARRY("Service", "ConfigurationDirectory", unit_parse_directory, DIR_CONFIGURATION)             \
    CARRY("Service", "RuntimeDirectoryMode", unit_parse_directory_mode, DIR_RUNTIME)                \
    CARRY("Service", "StateDirectoryMode", unit_parse_directory_mode, DIR_STATE)                    \
    CARRY("Service", "CacheDirectoryMode", unit_parse_directory_mode, DIR_CACHE)                    \
    CARRY("Service", "LogsDirectoryMode", unit_parse_directory_mode, DIR_LOGS)                      \
    CARRY("Service", "ConfigurationDirectoryMode", unit_parse_directory_mode, DIR_CONFIGURATION)    \
    CARRY("Service", "RuntimeDirectoryPreserve", unit_parse_preserve, 0)                            \
    CARRY("Service", "StandardInput", unit_parse_input, 0)                                          \
    CARRY("Service", "StandardOutput", unit_parse_output, 0)                                        \
    CARRY("Service", "StandardError", unit_parse_output, 1)                                         \
    CARRY("Service", "UMask", unit_parse_umask, 0)                                                  \
    CARRY("Service", "Nice", unit_parse_nice, 0)                                                    \
    CARRY("Service", "User", unit_parse_user, 0)                                                    \
    CARRY("Service", "Group", unit_parse_user, 1)                                                   \
    UNIT_LIMITS(CARRY)                                                                              \
    CARRY("X-Procref", "Ready", unit_parse_ready, 0)                                                \
    CARRY("X-Procref", "Port", unit_parse_port, 0)                                                  \
    CARRY("X-Procref", "Linger", unit_parse_linger, 0)                                              \
    CARRY("X-Procref", "Export", unit_parse_export, 0)                                              \
    CARRY("X-Procref", "Requires", unit_parse_requires, 0)                                          \
    CARRY("X-Procref", "Health", unit_parse_health, 0)

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
#define REASON_STATUS "not carried out: Restart= decides alone"
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

#define UNIT_LEFT_OUT(LEAVE)                                                                        \
    LEAVE("Unit", "Description", UNIT_IGNORED, NULL, REASON_DOCUMENTATION)                          \
    LEAVE("Unit", "Documentation", UNIT_IGNORED, NULL, REASON_DOCUMENTATION)                        \
    LEAVE("Unit", "SourcePath", UNIT_IGNORED, NULL, REASON_DOCUMENTATION)                           \
    LEAVE("Unit", "After", UNIT_IGNORED, NULL, REASON_ORDER)                                        \
    LEAVE("Unit", "Before", UNIT_IGNORED, NULL, REASON_ORDER)                                       \
    LEAVE("Unit", "Wants", UNIT_IGNORED, NULL, REASON_ORDER)                                        \
    LEAVE("Unit", "PartOf", UNIT_IGNORED, NULL, REASON_ORDER)                                       \
    LEAVE("Unit", "Conflicts", UNIT_IGNORED, NULL, REASON_ORDER)                                    \
    LEAVE("Unit", "Upholds", UNIT_IGNORED, NULL, REASON_ORDER)                                      \
    LEAVE("Unit", "DefaultDependencies", UNIT_IGNORED, NULL, REASON_ORDER)                          \
    LEAVE("Unit", "PropagatesReloadTo", UNIT_IGNORED, NULL, REASON_ORDER)                           \
    LEAVE("Unit", "PropagateReloadTo", UNIT_IGNORED, NULL, REASON_ORDER)                            \
    LEAVE("Unit", "ReloadPropagatedFrom", UNIT_IGNORED, NULL, REASON_ORDER)                         \
    LEAVE("Unit", "PropagateReloadFrom", UNIT_IGNORED, NULL, REASON_ORDER)                          \
    LEAVE("Unit", "PropagatesStopTo", UNIT_IGNORED, NULL, REASON_ORDER)                             \
    LEAVE("Unit", "StopPropagatedFrom", UNIT_IGNORED, NULL, REASON_ORDER)                           \
    LEAVE("Unit", "StopWhenUnneeded", UNIT_IGNORED, NULL, REASON_ORDER)                             \
    LEAVE("Unit", "RefuseManualStart", UNIT_IGNORED, NULL, REASON_ORDER)                            \
    LEAVE("Unit", "RefuseManualStop", UNIT_IGNORED, NULL, REASON_ORDER)                             \
    LEAVE("Unit", "AllowIsolate", UNIT_IGNORED, NULL, REASON_ORDER)                                 \
    LEAVE("Unit", "IgnoreOnIsolate", UNIT_IGNORED, NULL, REASON_ORDER)                              \
    LEAVE("Unit", "OnSuccessJobMode", UNIT_IGNORED, NULL, REASON_ORDER)                             \
    LEAVE("Unit", "OnFailureJobMode", UNIT_IGNORED, NULL, REASON_ORDER)                             \
    LEAVE("Unit", "OnFailureIsolate", UNIT_IGNORED, NULL, REASON_ORDER)                             \
    LEAVE("Unit", "CollectMode", UNIT_IGNORED, NULL, REASON_ORDER)                                  \
    LEAVE("Unit", "JobTimeoutSec", UNIT_IGNORED, NULL, REASON_ORDER)                                \
    LEAVE("Unit", "JobRunningTimeoutSec", UNIT_IGNORED, NULL, REASON_ORDER)                         \
    LEAVE("Unit", "JobTimeoutRebootArgument", UNIT_IGNORED, NULL, REASON_ORDER)                     \
    LEAVE("Unit", "RebootArgument", UNIT_IGNORED, NULL, REASON_ORDER)                               \
    LEAVE("Unit", "FailureActionExitStatus", UNIT_IGNORED, NULL, REASON_ORDER)                      \
    LEAVE("Unit", "SuccessActionExitStatus", UNIT_IGNORED, NULL, REASON_ORDER)                      \
    LEAVE("Unit", "RequiresOverridable", UNIT_IGNORED, NULL, REASON_ORDER)                          \
    LEAVE("Unit", "RequisiteOverridable", UNIT_IGNORED, NULL, REASON_ORDER)                         \
    LEAVE("Unit", "Requires", UNIT_WARNING, NULL, REASON_REQUIRES)                                  \
    LEAVE("Unit", "Requisite", UNIT_WARNING, NULL, REASON_REQUIRES)                                 \
    LEAVE("Unit", "BindsTo", UNIT_WARNING, NULL, REASON_REQUIRES)                                   \
    LEAVE("Unit", "BindTo", UNIT_WARNING, NULL, REASON_REQUIRES)                                    \
    LEAVE("Unit", "RequiresMountsFor", UNIT_WARNING, NULL, REASON_REQUIRES)                         \
    LEAVE("Unit", "OnFailure", UNIT_WARNING, NULL, REASON_OTHER_UNITS)                              \
    LEAVE("Unit", "OnSuccess", UNIT_WARNING, NULL, REASON_OTHER_UNITS)                              \
    LEAVE("Unit", "JoinsNamespaceOf", UNIT_WARNING, NULL, REASON_OTHER_UNITS)                       \
    LEAVE("Unit", "JobTimeoutAction", UNIT_WARNING, "none", REASON_ACTION)                          \
    LEAVE("Unit", "StartLimitAction", UNIT_WARNING, "none", REASON_ACTION)                          \
    LEAVE("Unit", "FailureAction", UNIT_WARNING, "none", REASON_ACTION)                             \
    LEAVE("Unit", "SuccessAction", UNIT_WARNING, "none", REASON_ACTION)                             \
    LEAVE("Unit", "ConditionPathExists", UNIT_REFUSED, NULL, REASON_CONDITION)                      \
    LEAVE("Unit", "ConditionPathExistsGlob", UNIT_REFUSED, NULL, REASON_CONDITION)                  \
    LEAVE("Unit", "ConditionPathIsDirectory", UNIT_REFUSED, NULL, REASON_CONDITION)                 \
    LEAVE("Unit", "ConditionPathIsSymbolicLink", UNIT_REFUSED, NULL, REASON_CONDITION)              \
    LEAVE("Unit", "ConditionPathIsMountPoint", UNIT_REFUSED, NULL, REASON_CONDITION)                \
    LEAVE("Unit", "ConditionPathIsReadWrite", UNIT_REFUSED, NULL, REASON_CONDITION)                 \
    LEAVE("Unit", "ConditionPathIsEncrypted", UNIT_REFUSED, NULL, REASON_CONDITION)                 \
    LEAVE("Unit", "ConditionDirectoryNotEmpty", UNIT_REFUSED, NULL, REASON_CONDITION)               \
    LEAVE("Unit", "ConditionFileNotEmpty", UNIT_REFUSED, NULL, REASON_CONDITION)                    \
    LEAVE("Unit", "ConditionFileIsExecutable", UNIT_REFUSED, NULL, REASON_CONDITION)                \
    LEAVE("Unit", "ConditionNeedsUpdate", UNIT_REFUSED, NULL, REASON_CONDITION)                     \
    LEAVE("Unit", "ConditionFirstBoot", UNIT_REFUSED, NULL, REASON_CONDITION)                       \
    LEAVE("Unit", "ConditionArchitecture", UNIT_REFUSED, NULL, REASON_CONDITION)                    \
    LEAVE("Unit", "ConditionFirmware", UNIT_REFUSED, NULL, REASON_CONDITION)                        \
    LEAVE("Unit", "ConditionVirtualization", UNIT_REFUSED, NULL, REASON_CONDITION)                  \
    LEAVE("Unit", "ConditionHost", UNIT_REFUSED, NULL, REASON_CONDITION)                            \
    LEAVE("Unit", "ConditionKernelCommandLine", UNIT_REFUSED, NULL, REASON_CONDITION)               \
    LEAVE("Unit", "ConditionKernelVersion", UNIT_REFUSED, NULL, REASON_CONDITION)                   \
    LEAVE("Unit", "ConditionCredential", UNIT_REFUSED, NULL, REASON_CONDITION)                      \
    LEAVE("Unit", "ConditionSecurity", UNIT_REFUSED, NULL, REASON_CONDITION)                        \
    LEAVE("Unit", "ConditionCapability", UNIT_REFUSED, NULL, REASON_CONDITION)                      \
    LEAVE("Unit", "ConditionACPower", UNIT_REFUSED, NULL, REASON_CONDITION)                         \
    LEAVE("Unit", "ConditionMemory", UNIT_REFUSED, NULL, REASON_CONDITION)                          \
    LEAVE("Unit", "ConditionCPUFeature", UNIT_REFUSED, NULL, REASON_CONDITION)                      \
    LEAVE("Unit", "ConditionCPUs", UNIT_REFUSED, NULL, REASON_CONDITION)                            \
    LEAVE("Unit", "ConditionEnvironment", UNIT_REFUSED, NULL, REASON_CONDITION)                     \
    LEAVE("Unit", "ConditionUser", UNIT_REFUSED, NULL, REASON_CONDITION)                            \
    LEAVE("Unit", "ConditionGroup", UNIT_REFUSED, NULL, REASON_CONDITION)                           \
    LEAVE("Unit", "ConditionControlGroupController", UNIT_REFUSED, NULL, REASON_CONDITION)          \
    LEAVE("Unit", "ConditionOSRelease", UNIT_REFUSED, NULL, REASON_CONDITION)                       \
    LEAVE("Unit", "ConditionMemoryPressure", UNIT_REFUSED, NULL, REASON_CONDITION)                  \
    LEAVE("Unit", "ConditionCPUPressure", UNIT_REFUSED, NULL, REASON_CONDITION)                     \
    LEAVE("Unit", "ConditionIOPressure", UNIT_REFUSED, NULL, REASON_CONDITION)                      \
    LEAVE("Unit", "AssertPathExists", UNIT_REFUSED, NULL, REASON_CONDITION)                         \
    LEAVE("Unit", "AssertPathExistsGlob", UNIT_REFUSED, NULL, REASON_CONDITION)                     \
    LEAVE("Unit", "AssertPathIsDirectory", UNIT_REFUSED, NULL, REASON_CONDITION)                    \
    LEAVE("Unit", "AssertPathIsSymbolicLink", UNIT_REFUSED, NULL, REASON_CONDITION)                 \
    LEAVE("Unit", "AssertPathIsMountPoint", UNIT_REFUSED, NULL, REASON_CONDITION)                   \
    LEAVE("Unit", "AssertPathIsReadWrite", UNIT_REFUSED, NULL, REASON_CONDITION)                    \
    LEAVE("Unit", "AssertPathIsEncrypted", UNIT_REFUSED, NULL, REASON_CONDITION)                    \
    LEAVE("Unit", "AssertDirectoryNotEmpty", UNIT_REFUSED, NULL, REASON_CONDITION)                  \
    LEAVE("Unit", "AssertFileNotEmpty", UNIT_REFUSED, NULL, REASON_CONDITION)                       \
    LEAVE("Unit", "AssertFileIsExecutable", UNIT_REFUSED, NULL, REASON_CONDITION)                   \
    LEAVE("Unit", "AssertNeedsUpdate", UNIT_REFUSED, NULL, REASON_CONDITION)                        \
    LEAVE("Unit", "AssertFirstBoot", UNIT_REFUSED, NULL, REASON_CONDITION)                          \
    LEAVE("Unit", "AssertArchitecture", UNIT_REFUSED, NULL, REASON_CONDITION)                       \
    LEAVE("Unit", "AssertVirtualization", UNIT_REFUSED, NULL, REASON_CONDITION)                     \
    LEAVE("Unit", "AssertHost", UNIT_REFUSED, NULL, REASON_CONDITION)                               \
    LEAVE("Unit", "AssertKernelCommandLine", UNIT_REFUSED, NULL, REASON_CONDITION)                  \
    LEAVE("Unit", "AssertKernelVersion", UNIT_REFUSED, NULL, REASON_CONDITION)                      \
    LEAVE("Unit", "AssertCredential", UNIT_REFUSED, NULL, REASON_CONDITION)                         \
    LEAVE("Unit", "AssertSecurity", UNIT_REFUSED, NULL, REASON_CONDITION)                           \
    LEAVE("Unit", "AssertCapability", UNIT_REFUSED, NULL, REASON_CONDITION)                         \
    LEAVE("Unit", "AssertACPower", UNIT_REFUSED, NULL, REASON_CONDITION)                            \
    LEAVE("Unit", "AssertMemory", UNIT_REFUSED, NULL, REASON_CONDITION)                             \
    LEAVE("Unit", "AssertCPUFeature", UNIT_REFUSED, NULL, REASON_CONDITION)                         \
    LEAVE("Unit", "AssertCPUs", UNIT_REFUSED, NULL, REASON_CONDITION)                               \
    LEAVE("Unit", "AssertEnvironment", UNIT_REFUSED, NULL, REASON_CONDITION)                        \
    LEAVE("Unit", "AssertUser", UNIT_REFUSED, NULL, REASON_CONDITION)                               \
    LEAVE("Unit", "AssertGroup", UNIT_REFUSED, NULL, REASON_CONDITION)                              \
    LEAVE("Unit", "AssertControlGroupController", UNIT_REFUSED, NULL, REASON_CONDITION)             \
    LEAVE("Unit", "AssertOSRelease", UNIT_REFUSED, NULL, REASON_CONDITION)                          \
    LEAVE("Unit", "AssertMemoryPressure", UNIT_REFUSED, NULL, REASON_CONDITION)                     \
    LEAVE("Unit", "AssertCPUPressure", UNIT_REFUSED, NULL, REASON_CONDITION)                        \
    LEAVE("Unit", "AssertIOPressure", UNIT_REFUSED, NULL, REASON_CONDITION)                         \
    LEAVE("Service", "ExecReload", UNIT_IGNORED, NULL, REASON_RELOAD)                               \
    LEAVE("Service", "ExecCondition", UNIT_REFUSED, NULL, REASON_CONDITION)                         \
    LEAVE("Service", "TimeoutAbortSec", UNIT_IGNORED, NULL, REASON_WATCHDOG)                        \
    LEAVE("Service", "TimeoutCleanSec", UNIT_IGNORED, NULL, REASON_WATCHDOG)                        \
    LEAVE("Service", "RuntimeRandomizedExtraSec", UNIT_IGNORED, NULL, REASON_WATCHDOG)              \
    LEAVE("Service", "WatchdogSignal", UNIT_IGNORED, NULL, REASON_WATCHDOG)                         \
    LEAVE("Service", "WatchdogSec", UNIT_WARNING, NULL, REASON_WATCHDOG)                            \
    LEAVE("Service", "RuntimeMaxSec", UNIT_REFUSED, NULL, REASON_MEANING)                           \
    LEAVE("Service", "StartLimitAction", UNIT_WARNING, "none", REASON_ACTION)                       \
    LEAVE("Service", "FailureAction", UNIT_WARNING, "none", REASON_ACTION)                          \
    LEAVE("Service", "RebootArgument", UNIT_IGNORED, NULL, REASON_ACTION)                           \
    LEAVE("Service", "TimeoutStartFailureMode", UNIT_WARNING, "terminate", REASON_TIMEOUT)          \
    LEAVE("Service", "TimeoutStopFailureMode", UNIT_WARNING, "terminate", REASON_TIMEOUT)           \
    LEAVE("Service", "ExitType", UNIT_REFUSED, "main", REASON_MEANING)                              \
    LEAVE("Service", "RestartPreventExitStatus", UNIT_WARNING, NULL, REASON_STATUS)                 \
    LEAVE("Service", "RestartForceExitStatus", UNIT_WARNING, NULL, REASON_STATUS)                   \
    LEAVE("Service", "PermissionsStartOnly", UNIT_IGNORED, NULL, REASON_USER_ONLY)                  \
    LEAVE("Service", "RootDirectoryStartOnly", UNIT_IGNORED, NULL, REASON_USER_ONLY)                \
    LEAVE("Service", "GuessMainPID", UNIT_IGNORED, NULL, REASON_FOUND)                              \
    LEAVE("Service", "NotifyAccess", UNIT_IGNORED, NULL, REASON_FOUND)                              \
    LEAVE("Service", "OOMPolicy", UNIT_IGNORED, NULL, REASON_FOUND)                                 \
    LEAVE("Service", "Sockets", UNIT_REFUSED, NULL, REASON_SOCKETS)                                 \
    LEAVE("Service", "USBFunctionDescriptors", UNIT_REFUSED, NULL, REASON_SOCKETS)                  \
    LEAVE("Service", "USBFunctionStrings", UNIT_REFUSED, NULL, REASON_SOCKETS)                      \
    LEAVE("Service", "NonBlocking", UNIT_WARNING, NULL, REASON_DESCRIPTORS)                         \
    LEAVE("Service", "FileDescriptorStoreMax", UNIT_WARNING, NULL, REASON_DESCRIPTORS)              \
    LEAVE("Service", "PassEnvironment", UNIT_IGNORED, NULL, REASON_PASSED)                          \
    LEAVE("Service", "RootDirectory", UNIT_REFUSED, NULL, REASON_ROOT)                              \
    LEAVE("Service", "RootImage", UNIT_REFUSED, NULL, REASON_ROOT)                                  \
    LEAVE("Service", "RootImageOptions", UNIT_REFUSED, NULL, REASON_ROOT)                           \
    LEAVE("Service", "RootHash", UNIT_REFUSED, NULL, REASON_ROOT)                                   \
    LEAVE("Service", "RootHashSignature", UNIT_REFUSED, NULL, REASON_ROOT)                          \
    LEAVE("Service", "RootVerity", UNIT_REFUSED, NULL, REASON_ROOT)                                 \
    LEAVE("Service", "ExtensionDirectories", UNIT_REFUSED, NULL, REASON_ROOT)                       \
    LEAVE("Service", "ExtensionImages", UNIT_REFUSED, NULL, REASON_ROOT)                            \
    LEAVE("Service", "MountImages", UNIT_REFUSED, NULL, REASON_ROOT)                                \
    LEAVE("Service", "BindPaths", UNIT_REFUSED, NULL, REASON_ROOT)                                  \
    LEAVE("Service", "BindReadOnlyPaths", UNIT_REFUSED, NULL, REASON_ROOT)                          \
    LEAVE("Service", "TemporaryFileSystem", UNIT_REFUSED, NULL, REASON_ROOT)                        \
    LEAVE("Service", "PrivateTmp", UNIT_REFUSED, NULL, REASON_ROOT)                                 \
    LEAVE("Service", "PrivateNetwork", UNIT_REFUSED, NULL, REASON_ROOT)                             \
    LEAVE("Service", "PrivateIPC", UNIT_REFUSED, NULL, REASON_ROOT)                                 \
    LEAVE("Service", "NetworkNamespacePath", UNIT_REFUSED, NULL, REASON_ROOT)                       \
    LEAVE("Service", "IPCNamespacePath", UNIT_REFUSED, NULL, REASON_ROOT)                           \
    LEAVE("Service", "DynamicUser", UNIT_REFUSED, NULL, REASON_USER)                                \
    LEAVE("Service", "SupplementaryGroups", UNIT_REFUSED, NULL, REASON_USER)                        \
    LEAVE("Service", "AmbientCapabilities", UNIT_REFUSED, NULL, REASON_USER)                        \
    LEAVE("Service", "ExecSearchPath", UNIT_REFUSED, NULL, REASON_MEANING)                          \
    LEAVE("Service", "StandardInputText", UNIT_REFUSED, NULL, REASON_MEANING)                       \
    LEAVE("Service", "StandardInputData", UNIT_REFUSED, NULL, REASON_MEANING)                       \
    LEAVE("Service", "SetCredential", UNIT_REFUSED, NULL, REASON_MEANING)                           \
    LEAVE("Service", "SetCredentialEncrypted", UNIT_REFUSED, NULL, REASON_MEANING)                  \
    LEAVE("Service", "LoadCredential", UNIT_REFUSED, NULL, REASON_MEANING)                          \
    LEAVE("Service", "LoadCredentialEncrypted", UNIT_REFUSED, NULL, REASON_MEANING)                 \
    LEAVE("Service", "Personality", UNIT_REFUSED, NULL, REASON_MEANING)                             \
    LEAVE("Service", "OOMScoreAdjust", UNIT_WARNING, NULL, REASON_TUNING)                           \
    LEAVE("Service", "CoredumpFilter", UNIT_WARNING, NULL, REASON_TUNING)                           \
    LEAVE("Service", "IOSchedulingClass", UNIT_WARNING, NULL, REASON_TUNING)                        \
    LEAVE("Service", "IOSchedulingPriority", UNIT_WARNING, NULL, REASON_TUNING)                     \
    LEAVE("Service", "CPUSchedulingPolicy", UNIT_WARNING, NULL, REASON_TUNING)                      \
    LEAVE("Service", "CPUSchedulingPriority", UNIT_WARNING, NULL, REASON_TUNING)                    \
    LEAVE("Service", "CPUSchedulingResetOnFork", UNIT_WARNING, NULL, REASON_TUNING)                 \
    LEAVE("Service", "CPUAffinity", UNIT_WARNING, NULL, REASON_TUNING)                              \
    LEAVE("Service", "NUMAPolicy", UNIT_WARNING, NULL, REASON_TUNING)                               \
    LEAVE("Service", "NUMAMask", UNIT_WARNING, NULL, REASON_TUNING)                                 \
    LEAVE("Service", "TimerSlackNSec", UNIT_WARNING, NULL, REASON_TUNING)                           \
    LEAVE("Service", "TTYPath", UNIT_IGNORED, NULL, REASON_TERMINAL)                                \
    LEAVE("Service", "TTYReset", UNIT_IGNORED, NULL, REASON_TERMINAL)                               \
    LEAVE("Service", "TTYVHangup", UNIT_IGNORED, NULL, REASON_TERMINAL)                             \
    LEAVE("Service", "TTYVTDisallocate", UNIT_IGNORED, NULL, REASON_TERMINAL)                       \
    LEAVE("Service", "TTYRows", UNIT_IGNORED, NULL, REASON_TERMINAL)                                \
    LEAVE("Service", "TTYColumns", UNIT_IGNORED, NULL, REASON_TERMINAL)                             \
    LEAVE("Service", "UtmpIdentifier", UNIT_IGNORED, NULL, REASON_TERMINAL)                         \
    LEAVE("Service", "UtmpMode", UNIT_IGNORED, NULL, REASON_TERMINAL)                               \
    LEAVE("Service", "SyslogIdentifier", UNIT_IGNORED, NULL, REASON_LOG)                            \
    LEAVE("Service", "SyslogFacility", UNIT_IGNORED, NULL, REASON_LOG)                              \
    LEAVE("Service", "SyslogLevel", UNIT_IGNORED, NULL, REASON_LOG)                                 \
    LEAVE("Service", "SyslogLevelPrefix", UNIT_IGNORED, NULL, REASON_LOG)                           \
    LEAVE("Service", "LogLevelMax", UNIT_IGNORED, NULL, REASON_LOG)                                 \
    LEAVE("Service", "LogRateLimitIntervalSec", UNIT_IGNORED, NULL, REASON_LOG)                     \
    LEAVE("Service", "LogRateLimitBurst", UNIT_IGNORED, NULL, REASON_LOG)                           \
    LEAVE("Service", "LogExtraFields", UNIT_IGNORED, NULL, REASON_LOG)                              \
    LEAVE("Service", "LogNamespace", UNIT_IGNORED, NULL, REASON_LOG)                                \
    LEAVE("Service", "SecureBits", UNIT_WARNING, NULL, REASON_HARDENING)                            \
    LEAVE("Service", "CapabilityBoundingSet", UNIT_WARNING, NULL, REASON_HARDENING)                 \
    LEAVE("Service", "NoNewPrivileges", UNIT_WARNING, NULL, REASON_HARDENING)                       \
    LEAVE("Service", "KeyringMode", UNIT_WARNING, NULL, REASON_HARDENING)                           \
    LEAVE("Service", "ProtectProc", UNIT_WARNING, NULL, REASON_HARDENING)                           \
    LEAVE("Service", "ProcSubset", UNIT_WARNING, NULL, REASON_HARDENING)                            \
    LEAVE("Service", "SystemCallFilter", UNIT_WARNING, NULL, REASON_HARDENING)                      \
    LEAVE("Service", "SystemCallArchitectures", UNIT_WARNING, NULL, REASON_HARDENING)               \
    LEAVE("Service", "SystemCallErrorNumber", UNIT_WARNING, NULL, REASON_HARDENING)                 \
    LEAVE("Service", "SystemCallLog", UNIT_WARNING, NULL, REASON_HARDENING)                         \
    LEAVE("Service", "MemoryDenyWriteExecute", UNIT_WARNING, NULL, REASON_HARDENING)                \
    LEAVE("Service", "RestrictNamespaces", UNIT_WARNING, NULL, REASON_HARDENING)                    \
    LEAVE("Service", "RestrictRealtime", UNIT_WARNING, NULL, REASON_HARDENING)                      \
    LEAVE("Service", "RestrictSUIDSGID", UNIT_WARNING, NULL, REASON_HARDENING)                      \
    LEAVE("Service", "RestrictAddressFamilies", UNIT_WARNING, NULL, REASON_HARDENING)               \
    LEAVE("Service", "LockPersonality", UNIT_WARNING, NULL, REASON_HARDENING)                       \
    LEAVE("Service", "RestrictFileSystems", UNIT_WARNING, NULL, REASON_HARDENING)                   \
    LEAVE("Service", "ReadWriteDirectories", UNIT_WARNING, NULL, REASON_HARDENING)                  \
    LEAVE("Service", "ReadOnlyDirectories", UNIT_WARNING, NULL, REASON_HARDENING)                   \
    LEAVE("Service", "InaccessibleDirectories", UNIT_WARNING, NULL, REASON_HARDENING)               \
    LEAVE("Service", "ReadWritePaths", UNIT_WARNING, NULL, REASON_HARDENING)                        \
    LEAVE("Service", "ReadOnlyPaths", UNIT_WARNING, NULL, REASON_HARDENING)                         \
    LEAVE("Service", "InaccessiblePaths", UNIT_WARNING, NULL, REASON_HARDENING)                     \
    LEAVE("Service", "ExecPaths", UNIT_WARNING, NULL, REASON_HARDENING)                             \
    LEAVE("Service", "NoExecPaths", UNIT_WARNING, NULL, REASON_HARDENING)                           \
    LEAVE("Service", "PrivateDevices", UNIT_WARNING, NULL, REASON_HARDENING)                        \
    LEAVE("Service", "ProtectKernelTunables", UNIT_WARNING, NULL, REASON_HARDENING)                 \
    LEAVE("Service", "ProtectKernelModules", UNIT_WARNING, NULL, REASON_HARDENING)                  \
    LEAVE("Service", "ProtectKernelLogs", UNIT_WARNING, NULL, REASON_HARDENING)                     \
    LEAVE("Service", "ProtectClock", UNIT_WARNING, NULL, REASON_HARDENING)                          \
    LEAVE("Service", "ProtectControlGroups", UNIT_WARNING, NULL, REASON_HARDENING)                  \
    LEAVE("Service", "PrivateUsers", UNIT_WARNING, NULL, REASON_HARDENING)                          \
    LEAVE("Service", "PrivateMounts", UNIT_WARNING, NULL, REASON_HARDENING)                         \
    LEAVE("Service", "ProtectSystem", UNIT_WARNING, NULL, REASON_HARDENING)                         \
    LEAVE("Service", "ProtectHome", UNIT_WARNING, NULL, REASON_HARDENING)                           \
    LEAVE("Service", "MountFlags", UNIT_WARNING, NULL, REASON_HARDENING)                            \
    LEAVE("Service", "MountAPIVFS", UNIT_WARNING, NULL, REASON_HARDENING)                           \
    LEAVE("Service", "RemoveIPC", UNIT_WARNING, NULL, REASON_HARDENING)                             \
    LEAVE("Service", "PAMName", UNIT_WARNING, NULL, REASON_HARDENING)                               \
    LEAVE("Service", "SELinuxContext", UNIT_WARNING, NULL, REASON_HARDENING)                        \
    LEAVE("Service", "AppArmorProfile", UNIT_WARNING, NULL, REASON_HARDENING)                       \
    LEAVE("Service", "SmackProcessLabel", UNIT_WARNING, NULL, REASON_HARDENING)                     \
    LEAVE("Service", "ProtectHostname", UNIT_WARNING, NULL, REASON_HARDENING)                       \
    LEAVE("Service", "Slice", UNIT_IGNORED, NULL, REASON_CGROUP)                                    \
    LEAVE("Service", "CPUAccounting", UNIT_IGNORED, NULL, REASON_CGROUP)                            \
    LEAVE("Service", "MemoryAccounting", UNIT_IGNORED, NULL, REASON_CGROUP)                         \
    LEAVE("Service", "IOAccounting", UNIT_IGNORED, NULL, REASON_CGROUP)                             \
    LEAVE("Service", "BlockIOAccounting", UNIT_IGNORED, NULL, REASON_CGROUP)                        \
    LEAVE("Service", "TasksAccounting", UNIT_IGNORED, NULL, REASON_CGROUP)                          \
    LEAVE("Service", "IPAccounting", UNIT_IGNORED, NULL, REASON_CGROUP)                             \
    LEAVE("Service", "DisableControllers", UNIT_IGNORED, NULL, REASON_CGROUP)                       \
    LEAVE("Service", "AllowedCPUs", UNIT_WARNING, NULL, REASON_CGROUP)                              \
    LEAVE("Service", "StartupAllowedCPUs", UNIT_WARNING, NULL, REASON_CGROUP)                       \
    LEAVE("Service", "AllowedMemoryNodes", UNIT_WARNING, NULL, REASON_CGROUP)                       \
    LEAVE("Service", "StartupAllowedMemoryNodes", UNIT_WARNING, NULL, REASON_CGROUP)                \
    LEAVE("Service", "CPUWeight", UNIT_WARNING, NULL, REASON_CGROUP)                                \
    LEAVE("Service", "StartupCPUWeight", UNIT_WARNING, NULL, REASON_CGROUP)                         \
    LEAVE("Service", "CPUShares", UNIT_WARNING, NULL, REASON_CGROUP)                                \
    LEAVE("Service", "StartupCPUShares", UNIT_WARNING, NULL, REASON_CGROUP)                         \
    LEAVE("Service", "CPUQuota", UNIT_WARNING, NULL, REASON_CGROUP)                                 \
    LEAVE("Service", "CPUQuotaPeriodSec", UNIT_WARNING, NULL, REASON_CGROUP)                        \
    LEAVE("Service", "MemoryMin", UNIT_WARNING, NULL, REASON_CGROUP)                                \
    LEAVE("Service", "DefaultMemoryMin", UNIT_WARNING, NULL, REASON_CGROUP)                         \
    LEAVE("Service", "DefaultMemoryLow", UNIT_WARNING, NULL, REASON_CGROUP)                         \
    LEAVE("Service", "MemoryLow", UNIT_WARNING, NULL, REASON_CGROUP)                                \
    LEAVE("Service", "MemoryHigh", UNIT_WARNING, NULL, REASON_CGROUP)                               \
    LEAVE("Service", "MemoryMax", UNIT_WARNING, NULL, REASON_CGROUP)                                \
    LEAVE("Service", "MemorySwapMax", UNIT_WARNING, NULL, REASON_CGROUP)                            \
    LEAVE("Service", "MemoryLimit", UNIT_WARNING, NULL, REASON_CGROUP)                              \
    LEAVE("Service", "DeviceAllow", UNIT_WARNING, NULL, REASON_CGROUP)                              \
    LEAVE("Service", "DevicePolicy", UNIT_WARNING, NULL, REASON_CGROUP)                             \
    LEAVE("Service", "IOWeight", UNIT_WARNING, NULL, REASON_CGROUP)                                 \
    LEAVE("Service", "StartupIOWeight", UNIT_WARNING, NULL, REASON_CGROUP)                          \
    LEAVE("Service", "IODeviceWeight", UNIT_WARNING, NULL, REASON_CGROUP)                           \
    LEAVE("Service", "IOReadBandwidthMax", UNIT_WARNING, NULL, REASON_CGROUP)                       \
    LEAVE("Service", "IOWriteBandwidthMax", UNIT_WARNING, NULL, REASON_CGROUP)                      \
    LEAVE("Service", "IOReadIOPSMax", UNIT_WARNING, NULL, REASON_CGROUP)                            \
    LEAVE("Service", "IOWriteIOPSMax", UNIT_WARNING, NULL, REASON_CGROUP)                           \
    LEAVE("Service", "IODeviceLatencyTargetSec", UNIT_WARNING, NULL, REASON_CGROUP)                 \
    LEAVE("Service", "BlockIOWeight", UNIT_WARNING, NULL, REASON_CGROUP)                            \
    LEAVE("Service", "StartupBlockIOWeight", UNIT_WARNING, NULL, REASON_CGROUP)                     \
    LEAVE("Service", "BlockIODeviceWeight", UNIT_WARNING, NULL, REASON_CGROUP)                      \
    LEAVE("Service", "BlockIOReadBandwidth", UNIT_WARNING, NULL, REASON_CGROUP)                     \
    LEAVE("Service", "BlockIOWriteBandwidth", UNIT_WARNING, NULL, REASON_CGROUP)                    \
    LEAVE("Service", "TasksMax", UNIT_WARNING, NULL, REASON_CGROUP)                                 \
    LEAVE("Service", "Delegate", UNIT_WARNING, NULL, REASON_CGROUP)                                 \
    LEAVE("Service", "IPAddressAllow", UNIT_WARNING, NULL, REASON_CGROUP)                           \
    LEAVE("Service", "IPAddressDeny", UNIT_WARNING, NULL, REASON_CGROUP)                            \
    LEAVE("Service", "IPIngressFilterPath", UNIT_WARNING, NULL, REASON_CGROUP)                      \
    LEAVE("Service", "IPEgressFilterPath", UNIT_WARNING, NULL, REASON_CGROUP)                       \
    LEAVE("Service", "ManagedOOMSwap", UNIT_WARNING, NULL, REASON_CGROUP)                           \
    LEAVE("Service", "ManagedOOMMemoryPressure", UNIT_WARNING, NULL, REASON_CGROUP)                 \
    LEAVE("Service", "ManagedOOMMemoryPressureLimit", UNIT_WARNING, NULL, REASON_CGROUP)            \
    LEAVE("Service", "ManagedOOMPreference", UNIT_WARNING, NULL, REASON_CGROUP)                     \
    LEAVE("Service", "BPFProgram", UNIT_WARNING, NULL, REASON_CGROUP)                               \
    LEAVE("Service", "SocketBindAllow", UNIT_WARNING, NULL, REASON_CGROUP)                          \
    LEAVE("Service", "SocketBindDeny", UNIT_WARNING, NULL, REASON_CGROUP)                           \
    LEAVE("Service", "RestrictNetworkInterfaces", UNIT_WARNING, NULL, REASON_CGROUP)                \
    LEAVE("Install", "Alias", UNIT_IGNORED, NULL, REASON_INSTALL)                                   \
    LEAVE("Install", "WantedBy", UNIT_IGNORED, NULL, REASON_INSTALL)                                \
    LEAVE("Install", "RequiredBy", UNIT_IGNORED, NULL, REASON_INSTALL)                              \
    LEAVE("Install", "Also", UNIT_IGNORED, NULL, REASON_INSTALL)                                    \
    LEAVE("Install", "DefaultInstance", UNIT_IGNORED, NULL, REASON_INSTALL)
/* clang-format on */

#endif
