/** A unit that was started, waited for: up, staying so, and healthy by what the system file asks of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../failures.ts';
import { judgeStart } from '../policy/unit-state.ts';
import { tail } from '../sources/checks/report.ts';
import type { UnitManager } from '../systemd/manager.ts';
import type { System, SystemdComponent } from '../system/types.ts';
import type { HostContext } from './host-context.ts';
import { runCommand } from './validation/command.ts';
import { askPage } from './validation/http.ts';

const POLL_MS = 250;
/** What only says that its process was begun is up when that has stayed so. */
const STAYS_UP_MS = 2000;
const HEALTH_SECONDS = 120;
const PROBE_MS = 20_000;
const LOG_LINES = 20;

export interface UnitAsked {
  readonly context: HostContext;
  readonly system: System;
  readonly manager: UnitManager;
  /** That names it; absent: one that goes with another. */
  readonly component?: SystemdComponent;
}

export interface UnitNow {
  readonly name: string;
  readonly ok: boolean;
  readonly now: string;
  /** The end of its log when it is not. */
  readonly log: string;
}

/** Never throws but the signal's reason, and what systemd answers. */
export async function untilUnitUp(asked: UnitAsked, name: string, signal: AbortSignal): Promise<UnitNow> {
  const { manager, component } = asked;
  const end = performance.now() + (component?.healthTimeoutSeconds ?? HEALTH_SECONDS) * 1000;
  const down = async (now: string): Promise<UnitNow> => ({
    name,
    ok: false,
    now,
    log: await logOf(manager, name, signal),
  });
  let upSince: { readonly run: string; readonly atMs: number } | undefined;
  for (let why = 'not up in time'; ;) {
    const [seen] = await manager.look([name], signal);
    if (seen === undefined) return down('unknown');
    const verdict = judgeStart(seen);
    if (verdict.kind === 'down') return down(verdict.now);
    if (verdict.kind === 'up') {
      const run = `${seen.invocation} ${seen.restarts}`;
      if (upSince?.run !== run) upSince = { run, atMs: performance.now() };
      const stays = !verdict.unproved || performance.now() - upSince.atMs >= STAYS_UP_MS;
      const held = await healthOf(asked, name, signal);
      if (held === undefined ? stays : held.ok)
        return { name, ok: true, now: held === undefined ? verdict.now : 'healthy', log: '' };
      if (held !== undefined) why = `not healthy: ${held.detail}`;
    } else upSince = undefined;
    if (performance.now() > end) return down(why);
    await sleep(POLL_MS, undefined, { signal });
  }
}

/** Undefined when nothing is asked of it. */
async function healthOf(
  { context, system, component }: UnitAsked,
  name: string,
  signal: AbortSignal,
): Promise<{ ok: boolean; detail: string } | undefined> {
  const probe = component?.health[name];
  if (probe === undefined) return undefined;
  if (probe.kind === 'http') return askPage(probe, probe.url, signal);
  const { exitCode, output } = await runCommand(context, { system, probe, limitMs: PROBE_MS }, signal);
  return { ok: exitCode === 0, detail: tail(output, 200) };
}

/** The journal may have none of it, or not be there for this account. */
export async function logOf(
  manager: UnitManager,
  name: string,
  signal: AbortSignal,
  lines = LOG_LINES,
): Promise<string> {
  try {
    const text = (await manager.log(name, lines, signal)).trim();
    return text === '' ? 'the journal has nothing of it' : text;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return error.message;
  }
}
