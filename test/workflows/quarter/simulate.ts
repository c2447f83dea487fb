/** Lets the real incident workflow live through months in moments, and compares who was told with who should have been. */
import { reconcileIncidents } from '../../../src/activities/incidents.ts';
import { policyFor, type EscalationPolicy } from '../../../src/policy/escalation.ts';
import { parseSystem } from '../../../src/system/parse.ts';
import type { System } from '../../../src/system/types.ts';
import { UPDATES, workflowIds } from '../../../src/workflows/contract.ts';
import { exampleText } from '../../system/keys.ts';
import type { Play } from '../play.ts';
import { uniqueName } from '../stage.ts';
import { expectedMessages, TIMES, type Expected } from './expected.ts';
import { DAY, live, LOOK_EVERY, SECOND, type Life } from './life.ts';

/** A busy machine may be late; it may never be early. */
const LATE = 30 * SECOND;

const POLICY: EscalationPolicy = {
  levels: TIMES.levels.map(({ channel, after }) => ({
    name: channel,
    afterSeconds: after / SECOND,
    channels: [channel],
  })),
  countFrom: 'outage',
  repeatSeconds: TIMES.repeat / SECOND,
  settleSeconds: TIMES.settle / SECOND,
  acknowledgedForSeconds: TIMES.acknowledgedFor / SECOND,
};

export interface Simulation {
  readonly looks: number;
  readonly runs: number;
  readonly failedRuns: number;
  readonly incidents: number;
  readonly messages: number;
  /** What was told and should not have been, or the other way round; empty when all was right. */
  readonly wrong: readonly string[];
}

export function connector(): System {
  return parseSystem(exampleText('m2m-connector'), 'm2m-connector.yaml');
}

export async function simulate(
  play: Play,
  options: { readonly seed: number; readonly days: number; readonly outagesAMonth?: number },
): Promise<Simulation> {
  const { seed, days, outagesAMonth = 24 } = options;
  const now = await play.env.currentTimeMs();
  const startMs = Math.ceil((now + DAY) / DAY) * DAY;
  const life = live({ ...connector(), name: uniqueName('m2m') }, { seed, days, startMs, outagesAMonth });
  return play.inWorld({}, async (world) => {
    world.incidents.policy = (kind) => policyFor({ base: POLICY, classes: {} }, kind);
    await act(play, life);
    const told = world.incidents.delivered.map(({ channel, notice, askedAtMs }): Expected => {
      return {
        incident: String(notice.facts['incident']),
        channel,
        news: notice.type.replace('incident.', ''),
        atMs: askedAtMs,
      };
    });
    const expected = expectedMessages(life.looks);
    const opened = expected.filter(({ news, channel }) => news === 'healed' && channel === 'on-call');
    const { runs, failedRuns, looks } = life;
    const wrong = compare(expected, told);
    return { looks: looks.length, runs, failedRuns, incidents: opened.length, messages: told.length, wrong };
  });
}

async function act(play: Play, life: Life): Promise<void> {
  const { env } = play;
  const running = new Set<string>();
  const passUntil = async (atMs: number): Promise<void> => {
    const leftMs = atMs - (await env.currentTimeMs());
    if (leftMs > 0) await env.sleep(leftMs);
  };
  let system = '';
  for (const { atMs, findings, acknowledged } of life.looks) {
    await passUntil(atMs);
    system = findings[0]?.system ?? system;
    const ids = findings.map(({ check, subject }) => workflowIds.incident(system, check, subject));
    await reconcileIncidents(env.client, { system, findings, unknown: [] }, () => Promise.resolve([...running]));
    for (const id of ids) running.add(id);
    for (const id of acknowledged) {
      const handle = env.client.workflow.getHandle(`${system}/incident/${id}`);
      await handle.executeUpdate(UPDATES.acknowledge, { args: [{ by: 'ann' }] });
    }
  }
  await passUntil((life.looks.at(-1)?.atMs ?? 0) + LOOK_EVERY + DAY);
}

/** Each message that was expected, once, in its time: what is missing and what is too much. */
export function compare(expected: readonly Expected[], told: readonly Expected[]): string[] {
  const left = [...told];
  const missing = expected.filter((one) => {
    const index = left.findIndex((other) => isSame(one, other));
    if (index < 0) return true;
    left.splice(index, 1);
    return false;
  });
  return [...missing.map((one) => `missing: ${line(one)}`), ...left.map((one) => `too much: ${line(one)}`)];
}

function isSame(one: Expected, told: Expected): boolean {
  const lateMs = told.atMs - one.atMs;
  const isIt = one.incident === told.incident && one.channel === told.channel && one.news === told.news;
  return isIt && lateMs >= -SECOND && lateMs <= LATE;
}

function line({ incident, channel, news, atMs }: Expected): string {
  return `${new Date(atMs).toISOString()} ${incident} ${news} to ${channel}`;
}
