/** What is wrong with a system by its status, as findings. Pure. */
import { formatBytes, formatSeconds } from '../observe/format.ts';
import { inOrder, type Finding } from '../policy/findings.ts';
import type { SystemStatus } from '../status/system-status.ts';
import type { System } from '../system/types.ts';

export function troublesOf({ name }: Pick<System, 'name'>, status: SystemStatus, nowMs: number): Finding[] {
  const system = name;
  const found: Finding[] = [];
  for (const { plan, state, why, ageSeconds, limitSeconds } of status.plans) {
    if (limitSeconds === undefined || state === 'fresh' || state === 'unbounded') continue;
    if (state === 'missing' && status.unread.length > 0) continue;
    const what =
      ageSeconds === undefined
        ? `${why}, and its objective is ${formatSeconds(limitSeconds)}`
        : `the newest backup is ${formatSeconds(ageSeconds)} old, its limit is ${formatSeconds(limitSeconds)}`;
    found.push({
      system,
      check: 'freshness',
      subject: plan,
      severity: 'critical',
      what,
      hint: `holdfast backup ${system} ${plan}`,
    });
  }
  for (const { store, errors, bad } of status.stores) {
    if (errors === 0) continue;
    const what = `${errors} damaged objects, such as ${bad[0] ?? ''}`;
    const hint = `holdfast verify ${system} --whole --heal`;
    found.push({ system, check: 'corruption', subject: store, severity: 'critical', what, hint });
  }
  for (const { store, error } of status.unread) {
    found.push({
      system,
      check: 'store',
      subject: store,
      severity: 'warning',
      what: `it can't be read: ${error.message}`,
      hint: error.hint,
    });
  }
  for (const { store, late, backups = 0, since, copy } of status.behind) {
    if (!late || since === undefined) continue;
    const age = formatSeconds((nowMs - Date.parse(since)) / 1000);
    const what = `${backups} backups are missing there, the oldest for ${age}`;
    const hint = copy === undefined ? `holdfast copy ${system} ${store}` : `its copy runs: ${copy.trouble ?? 'wait'}`;
    found.push({ system, check: 'copy', subject: store, severity: 'warning', what, hint, since });
  }
  for (const { plan, ok, short = [] } of status.copies) {
    if (ok !== false) continue;
    const what = `short of the rule: ${short.join('; ')}`;
    found.push({ system, check: 'copy', subject: plan, severity: 'warning', what, hint: `holdfast status ${system}` });
  }
  for (const { component, behind, waitingFor, trouble, received } of status.logs) {
    if (!behind) continue;
    const why = waitingFor ?? trouble ?? (received === false ? 'it is not received' : 'its recovery point is old');
    const what = `the write-ahead log is behind: ${why}`;
    found.push({
      system,
      check: 'wal',
      subject: component,
      severity: 'critical',
      what,
      hint: `holdfast doctor ${system}`,
    });
  }
  for (const { component, slot, heldBackBytes, drop } of status.slots) {
    const what = `the slot ${slot} is left on the server and holds back ${formatBytes(heldBackBytes)}`;
    found.push({ system, check: 'wal', subject: component, severity: 'warning', what, hint: `if not wanted: ${drop}` });
  }
  return inOrder(found);
}
