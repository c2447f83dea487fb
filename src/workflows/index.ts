/** Every workflow type a worker of the orchestration queue knows, under the names people type. */
export { backup } from './backup.ts';
export { checklist } from './checklist.ts';
export { copy } from './copy.ts';
export { monitor } from './monitor.ts';
export { incident } from './incident.ts';
export { notify } from './notify.ts';
export { followChanges } from './follow-changes.ts';
export { housekeeping } from './housekeeping.ts';
export { prune } from './prune.ts';
export { receiveWal } from './receive-wal.ts';
export { releaseFreeze } from './release-freeze.ts';
export { restore } from './restore.ts';
export { restoreRows } from './restore-rows.ts';
export { scheduled } from './scheduled.ts';
export { systemLock } from './system-lock.ts';
export { verify } from './verify.ts';
export { verifyStore } from './verify-store.ts';
