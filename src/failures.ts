/**
 * Every failure that Holdfast reports, in one place. A failure has a code, says what happened, whether waiting can
 * help, and what to try next. Temporal retries what waiting helps; the rest ends the operation at once.
 */

interface FailureKind {
  /** True when the same call may succeed later without anybody changing anything. */
  readonly waitingHelps: boolean;
  /** What an operator should try next, in one sentence. */
  readonly hint: string;
}

export const FAILURES = {
  // Input and configuration
  BadInput: { waitingHelps: false, hint: 'Correct the input; `--help` shows what is accepted.' },
  BadSystemFile: { waitingHelps: false, hint: 'Correct the lines named above and run `holdfast doctor`.' },
  UnknownSystem: {
    waitingHelps: false,
    hint: 'List the known systems with `holdfast status`; add a file with `holdfast init`.',
  },
  SecretMissing: {
    waitingHelps: false,
    hint: 'Provide the secret at the place the system file names, then start again.',
  },
  // Engine and locking
  EngineUnreachable: { waitingHelps: true, hint: 'Start it with `holdfast up`, or set TEMPORAL_ADDRESS.' },
  EngineVersion: {
    waitingHelps: false,
    hint: 'Let running operations finish with the version that made it, move the file aside, and start again; schedules and backups are not in it.',
  },
  EngineRunning: { waitingHelps: false, hint: 'Use the engine that runs, or set HOLDFAST_HOME to another directory.' },
  PortTaken: { waitingHelps: true, hint: 'Stop what listens there, or choose another port.' },
  ToolMissing: { waitingHelps: false, hint: 'Run `npm run setup`.' },
  PingFailed: {
    waitingHelps: true,
    hint: 'Check that this machine may reach the address that monitor.ping.url names; it is told again after the next look.',
  },
  SystemBusy: { waitingHelps: true, hint: 'Another operation runs on this system; see `holdfast status`.' },
  HostSilent: { waitingHelps: true, hint: 'Check that the worker of this host runs (`holdfast up`).' },
  HostBusy: { waitingHelps: true, hint: 'Another step of this kind runs on this host; it is tried again.' },
  ApprovalExpired: { waitingHelps: false, hint: 'Start the operation again and approve it in time.' },
  Rejected: { waitingHelps: false, hint: 'A person rejected the plan; nothing was changed.' },
  SecondPersonNeeded: {
    waitingHelps: false,
    hint: 'Have somebody else look at the plan and approve it: holdfast approve <system> <digest>',
  },
  PlanChanged: {
    waitingHelps: false,
    hint: 'The situation changed after approval; look at the new plan and approve again.',
  },
  // Sites
  SiteFenced: {
    waitingHelps: false,
    hint: 'Another site runs this system, or nobody knows which: `holdfast site <system>` says what is known.',
  },
  NotStandby: {
    waitingHelps: false,
    hint: 'A site restores ahead while another one is active and nothing of the system runs here: `holdfast site <system>`.',
  },
  Unfenced: {
    waitingHelps: true,
    hint: 'Nobody can say that the site before is stopped: find out, and start the failover again. The system is not started here before.',
  },
  // Docker
  DockerUnreachable: {
    waitingHelps: true,
    hint: 'Check that the Docker engine runs and that this user may reach its socket.',
  },
  DockerRefused: {
    waitingHelps: true,
    hint: "The message above is the Docker engine's own; its log (`journalctl -u docker`) has more.",
  },
  VolumeMissing: { waitingHelps: false, hint: 'Check the volume name with `docker volume ls`.' },
  VolumeInUse: { waitingHelps: true, hint: 'Stop the containers named above, or let Holdfast stop them with quiesce.' },
  ContainerMissing: { waitingHelps: false, hint: 'Check the service or container name in the system file.' },
  Unhealthy: { waitingHelps: true, hint: 'Look at the logs of the container named above.' },
  FreezeBroken: {
    waitingHelps: true,
    hint: 'Something changed the container during the freeze; what was read was thrown away.',
  },
  FreezeOverBudget: {
    waitingHelps: false,
    hint: 'Raise the freeze budget, use quiesce: stop in a quiet hour, or a filesystem with snapshots.',
  },
  // systemd
  SystemdUnreachable: {
    waitingHelps: false,
    hint: 'Units need systemd on the host of the component: `systemctl status` (with --user: XDG_RUNTIME_DIR, loginctl enable-linger).',
  },
  SystemdRefused: {
    waitingHelps: true,
    hint: "The message above is systemd's own; `systemctl status` and `journalctl -u` of the unit have more.",
  },
  // Sources
  SourceMissing: { waitingHelps: false, hint: 'Check the path in the system file.' },
  GitFailed: { waitingHelps: true, hint: "The message above is git's own; try the same command by hand on that host." },
  SourceChanging: {
    waitingHelps: true,
    hint: 'Files changed while they were read; quiesce the writer or exclude them.',
  },
  SourceCorrupt: {
    waitingHelps: false,
    hint: 'The source itself fails its check; look at it before any backup is trusted.',
  },
  SourceEmpty: { waitingHelps: false, hint: 'Nothing was found to back up; an empty capture is never a backup.' },
  PermissionDenied: {
    waitingHelps: false,
    hint: 'Run the host worker as a user that may read or write what is named above.',
  },
  NoRoom: {
    waitingHelps: false,
    hint: 'Free space there, leave out what is large with --component, or do it on another machine with the recovery kit.',
  },
  DiskFull: { waitingHelps: true, hint: 'Free space on the filesystem named above; it is tried again.' },
  CheckFailed: {
    waitingHelps: false,
    hint: 'The restored or captured data failed its own check; choose another backup.',
  },
  // PostgreSQL
  PostgresUnreachable: {
    waitingHelps: true,
    hint: 'Check that the server runs and takes connections at this address; it is tried again.',
  },
  PostgresDenied: {
    waitingHelps: false,
    hint: 'Check the role in the system file; `holdfast grants <system> <component>` prints the rights it needs.',
  },
  PostgresVersion: {
    waitingHelps: false,
    hint: "Install the client programs of the server's release, or use those of its container.",
  },
  PostgresLocked: {
    waitingHelps: true,
    hint: 'Something holds a lock on what is to be read, such as a migration; it is tried again.',
  },
  PostgresConflict: {
    waitingHelps: true,
    hint: 'The standby had to choose between this query and its primary; raise max_standby_streaming_delay, or turn hot_standby_feedback on.',
  },
  ExtensionMissing: {
    waitingHelps: false,
    hint: "Install the packages of the extensions named above on the target's host, then start again.",
  },
  QueryRefused: {
    waitingHelps: false,
    hint: 'Correct the query, or the names in it: the database will not answer it as it stands.',
  },
  PostgresRefused: { waitingHelps: true, hint: "The message above is the server's own; its log has more." },
  PostgresToolFailed: { waitingHelps: true, hint: "The message above is the tool's own; the server's log has more." },
  // Vault and stores
  StoreUnreachable: { waitingHelps: true, hint: 'Check the network and the address of the store; it is tried again.' },
  StoreDenied: { waitingHelps: false, hint: 'Check the credentials and the policy of the store.' },
  StoreNotMounted: { waitingHelps: true, hint: 'Mount the store, or create its marker with `holdfast init`.' },
  StoreUnfit: { waitingHelps: false, hint: 'The store does not honour what a vault needs; choose another.' },
  StoreLocked: {
    waitingHelps: false,
    hint: 'It can be deleted when its lock ends; nobody may lift a lock before its time to make room.',
  },
  ObjectFrozen: {
    waitingHelps: false,
    hint: 'It lies in an archive class: thaw it first, or read from another store.',
  },
  NotAVault: {
    waitingHelps: false,
    hint: 'Create the vault with `holdfast init`, or correct the store in the system file.',
  },
  VaultFormat: {
    waitingHelps: false,
    hint: 'This vault was written by another format version; use a matching Holdfast.',
  },
  BackupMissing: { waitingHelps: false, hint: 'List the backups with `holdfast list`.' },
  ObjectMissing: { waitingHelps: false, hint: 'An object that the backup names is gone; try another store or backup.' },
  ObjectCorrupt: {
    waitingHelps: false,
    hint: 'Stored bytes are damaged; try another store or backup, and verify this one.',
  },
  Untrusted: { waitingHelps: false, hint: 'A signature does not hold; do not restore this unless you know why.' },
  WrongIdentity: { waitingHelps: false, hint: 'Use the age identity that belongs to a recipient of this vault.' },
  SweepRunning: { waitingHelps: true, hint: 'Captures wait until the sweep is done; if it died, run prune again.' },
  CaptureSuperseded: { waitingHelps: false, hint: 'A sweep settled this capture; start the backup again.' },
  // Write-ahead log
  WalConflict: {
    waitingHelps: false,
    hint: 'Two servers of one origin write the same timeline: stop one, or give it a component of its own.',
  },
  // Restore
  Unreachable: {
    waitingHelps: false,
    hint: 'Choose a moment that can be reached; `holdfast show` lists them.',
  },
  TargetNotEmpty: { waitingHelps: false, hint: 'Choose an empty target, or approve replacing what is there.' },
  UnsafePath: { waitingHelps: false, hint: 'The archive names a path outside its target; it was refused.' },
  ArchiveBroken: { waitingHelps: false, hint: 'The archive does not follow its format; try another backup.' },
  // Names
  DnsUnreachable: {
    waitingHelps: true,
    hint: 'It is tried again. What changes DNS may be down with a region: `holdfast dns` shows the ways prepared beforehand.',
  },
  DnsThrottled: { waitingHelps: true, hint: 'Too many calls of this account; it is tried again.' },
  DnsRefused: {
    waitingHelps: false,
    hint: 'Check the credentials, the zone and the records in the system file; `holdfast dns <system> --audit` says what differs.',
  },
  DnsProtected: {
    waitingHelps: false,
    hint: 'Remove the protection of the record set named above (route53:DeleteResourceRecordSetProtections), then start again.',
  },
  DnsChanged: {
    waitingHelps: false,
    hint: 'Somebody else changes these names: find out who, then look at a new plan with `holdfast dns <system>`.',
  },
  DnsPending: {
    waitingHelps: true,
    hint: 'The change is accepted and not on all name servers yet; it is looked at again.',
  },
  DnsNotAnswered: {
    waitingHelps: true,
    hint: 'The name servers do not answer as they should yet; they are asked again.',
  },
  DnsUnfit: {
    waitingHelps: false,
    hint: 'Bring the zone and the system file together: `holdfast dns <system> --audit` says what differs.',
  },
  DnsElsewhere: { waitingHelps: false, hint: 'Do it at the site named above, whose host has the switch.' },
  DnsCommandFailed: { waitingHelps: true, hint: 'Try the same command by hand on this host; it is tried again.' },
  // Messages
  ChannelUnreachable: {
    waitingHelps: true,
    hint: 'Check the network and the receiver of this channel; it is tried again. Try it with `holdfast notify test`.',
  },
  ChannelRefused: {
    waitingHelps: false,
    hint: 'Check the address, the account and the rights of this channel, then try it with `holdfast notify test`.',
  },
  // Anything that nobody foresaw
  Internal: { waitingHelps: true, hint: 'This is a defect in Holdfast; the log has the details.' },
} as const satisfies Record<string, FailureKind>;

export type FailureCode = keyof typeof FAILURES;

/**
 * An error an operator is meant to read. `message` says what happened, with names and numbers and without secrets;
 * `cause` keeps the original error. Activities turn it into Temporal's ApplicationFailure of type `code`.
 */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError';
  readonly code: FailureCode;
  /** Facts for programs: small, JSON, no secrets. */
  readonly details: Readonly<Record<string, unknown>>;
  private readonly ownHint: string | undefined;

  constructor(
    code: FailureCode,
    message: string,
    options: { cause?: unknown; details?: Record<string, unknown>; hint?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    this.ownHint = options.hint;
  }

  get waitingHelps(): boolean {
    return FAILURES[this.code].waitingHelps;
  }

  get hint(): string {
    return this.ownHint ?? FAILURES[this.code].hint;
  }
}

/** The codes for which a retry is pointless: what Temporal's retry policies list as non-retryable. */
export const FINAL_CODES: readonly FailureCode[] = (Object.keys(FAILURES) as FailureCode[]).filter(
  (code) => !FAILURES[code].waitingHelps,
);

export function isFailureCode(text: string): text is FailureCode {
  return Object.hasOwn(FAILURES, text);
}
