/** Which command and which workflow changes something, and how that comes into the audit log; or why it does not. */

/**
 * `operation`: it starts or answers workflows, which tell. `itself`: its own file hands it over. `no`: with the reason.
 */
export type Told = { readonly by: 'operation' | 'itself' } | { readonly no: string };

const OPERATION: Told = { by: 'operation' };
const ITSELF: Told = { by: 'itself' };
const READS: Told = { no: 'it reads' };
const TELLS_PEOPLE: Told = { no: 'it is a message, or its answer, kept in the incident and its report' };
const OWN_RECORD: Told = { no: 'what it makes is a signed record of its own in the stores' };
const ONLY_ADDS: Told = { no: 'it adds, and takes nothing away: what it makes is a signed manifest' };

/** By name; of a command with parts by `command part`. */
export const COMMANDS: Readonly<Record<string, Told>> = {
  ack: TELLS_PEOPLE,
  apply: ITSELF,
  approve: OPERATION,
  aside: ITSELF,
  audit: READS,
  backup: ONLY_ADDS,
  checklist: OWN_RECORD,
  'clean-point': { no: 'it restores into scratch of its own, and its report is kept in the stores' },
  copy: ONLY_ADDS,
  dns: ITSELF,
  doctor: READS,
  drill: { no: 'it restores into scratch of its own, and its signed report is kept in the stores' },
  drills: READS,
  failback: OPERATION,
  failover: OPERATION,
  failovers: READS,
  grants: READS,
  hold: ITSELF,
  housekeep: OPERATION,
  incidents: READS,
  init: { no: 'it makes what is not there; who may sign is a statement of the offline root' },
  list: READS,
  logs: READS,
  missing: OPERATION,
  monitor: READS,
  'notify test': TELLS_PEOPLE,
  policy: READS,
  prune: OPERATION,
  reject: OPERATION,
  restart: OPERATION,
  restore: OPERATION,
  rows: OPERATION,
  runbook: READS,
  'schedule backfill': { no: 'it starts what tells by itself' },
  'schedule list': READS,
  'schedule pause': ITSELF,
  'schedule trigger': { no: 'it starts what tells by itself' },
  'schedule unpause': ITSELF,
  schema: READS,
  show: READS,
  site: ITSELF,
  status: READS,
  storage: READS,
  'store setup': ITSELF,
  up: { no: 'it applies the schedules of system files, and their changes are told by the host that sees them' },
  verify: OPERATION,
  watch: READS,
};

/**
 * `gate`: it asks a person. `end`: the policy of what is told takes its end; both may be. `no`: with the reason.
 */
export type WorkflowTold = { readonly by: readonly ('gate' | 'end')[] } | { readonly no: string };

export const WORKFLOWS_TOLD: Readonly<Record<string, WorkflowTold>> = {
  audit: { no: 'it writes the log' },
  backup: {
    no: 'it adds; the host tells by which system file, when that has changed, and what it removes of what was kept aside',
  },
  checklist: { no: 'it reads, and its report is a signed record' },
  cleanPoint: { no: 'it restores into scratch of its own' },
  copy: { no: 'it adds' },
  drill: { no: 'it restores into scratch of its own' },
  failover: { by: ['gate', 'end'] },
  followChanges: { no: 'it starts backups' },
  handover: { by: ['end'] },
  housekeeping: { by: ['end'] },
  incident: { no: 'it tells people' },
  monitor: { no: 'it reads' },
  notify: { no: 'it tells people' },
  prune: { by: ['gate', 'end'] },
  readiness: { no: 'it reads, and rehearses in scratch of its own' },
  receiveWal: { no: 'it adds; what is superseded goes with a prune' },
  releaseFreeze: { no: 'it gives back what a backup held' },
  restart: { by: ['end'] },
  restore: { by: ['gate', 'end'] },
  restoreMissing: { by: ['gate', 'end'] },
  restoreRows: { by: ['gate', 'end'] },
  scheduled: { no: 'it starts what tells by itself' },
  siteWatch: { no: 'it starts what tells by itself' },
  standby: { no: 'it starts restores at a site that is not active, where nothing runs' },
  systemLock: { no: 'it holds a name' },
  verify: { no: 'it reads, and its verdict is a signed record' },
  verifyStore: { by: ['end'] },
};
