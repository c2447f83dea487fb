/**
 * Writes one event into the system's audit log, for as long as it takes: stores may be down, hosts away. A store that did
 * not take it in a day gets it with the next copy.
 */
import { sleep, workflowInfo } from '@temporalio/workflow';
import type { AuditWritten } from '../activities/audit-types.ts';
import type { AuditEvent, AuditInput, AuditResult } from './contract.ts';
import { failure, inOneVoice, told, type Told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { asking, auditingOn } from './proxies.ts';
import { Story } from './story.ts';

const text = { type: 'string' } as const;
const FIELDS: Fields<AuditInput> = {
  system: { ...NAME, required: true },
  id: { ...text, required: true },
  what: {
    ...text,
    required: true,
    oneOf: ['asked', 'approved', 'rejected', 'expired', 'withdrawn', 'raised', 'cleared', 'taken-back', 'ended'],
  },
  at: { ...text, required: true },
  operation: { ...text, required: true },
  workflowId: { ...text, required: true },
  runId: { ...text, required: true },
  digest: text,
  about: text,
  by: text,
  from: text,
  identity: text,
  outcome: text,
  why: text,
};

const SHORTEST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 3_600_000;
/** A log that can't be written for a month needs a person; the engine shows the run as failed. */
const GIVE_UP_MS = 30 * 24 * 3_600_000;
const SPREAD_MS = 24 * 3_600_000;
const PERSONS_ANSWER: readonly AuditEvent['what'][] = ['approved', 'rejected'];

type HandedOver = Omit<AuditInput, 'system'>;

export async function audit(input: AuditInput): Promise<AuditResult> {
  const { system, ...event } = parseInput<AuditInput>('audit', input, FIELDS);
  const story = new Story('audit', ['write', 'bring to every store']);
  return inOneVoice(async () => {
    story.about(system);
    requireHandedOver(event);
    story.begin('write');
    const whole = await withAnswerer(event);
    const written = await writeSomewhere(system, whole, story);
    story.begin('bring to every store');
    const { lacking, ...rest } = await spread(system, whole, written, story);
    story.finish();
    return { ...rest, lacking };
  });
}

/**
 * Whoever reaches the engine can start this workflow with any event. By whom a run was started as a child is the engine's
 * own word, which a client can't choose: only the run that the event names can have handed it over.
 */
function requireHandedOver({ workflowId, runId }: HandedOver): void {
  const { parent } = workflowInfo();
  if (parent?.workflowId === workflowId && parent.runId === runId) return;
  throw failure('Untrusted', `The event was not handed over by the run of ${workflowId} that it names.`);
}

/** The engine's own word about the client that answered, which the operation itself can't see. */
async function withAnswerer(event: HandedOver): Promise<AuditEvent> {
  if (!PERSONS_ANSWER.includes(event.what) || event.identity !== undefined) return event;
  const { workflowId, runId } = event;
  const asker = await asking.whoAnswered({ workflowId, runId });
  if (asker === undefined) return event;
  return { ...event, identity: asker.identity, ...(asker.from === undefined ? {} : { from: asker.from }) };
}

interface Written extends AuditWritten {
  readonly host: string;
  readonly ownKey: boolean;
}

/** Host by host, round by round, until one has written it into one store at least. */
async function writeSomewhere(system: string, event: AuditEvent, story: Story): Promise<Written> {
  const until = Date.now() + GIVE_UP_MS;
  for (let pauseMs = SHORTEST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const { hosts } = await asking.describeAudit({ system });
    const failures: Told[] = [];
    for (const host of hosts) {
      const written = await tryOn(host, { system, event }, failures);
      if (written !== undefined) return written;
    }
    // A bare machine after a disaster has no signer: its word is a claim, and better than none.
    if (failures.length > 0 && failures.every(({ code }) => code === 'SecretMissing')) {
      const written = await tryOn(hosts[0] ?? '', { system, event, ownKey: true }, failures);
      if (written !== undefined) return written;
    }
    const why = failures.at(-1)?.message ?? 'the system has no host';
    if (Date.now() > until) throw failure('StoreUnreachable', `Nobody could write the audit log: ${why}`);
    story.waitFor(`a store: ${why}`);
    await sleep(pauseMs, { summary: why.slice(0, 100) });
  }
}

async function tryOn(
  host: string,
  given: { readonly system: string; readonly event: AuditEvent; readonly ownKey?: boolean },
  failures: Told[],
): Promise<Written | undefined> {
  try {
    const written = await auditingOn(host).recordAudit(given);
    return { ...written, host, ownKey: given.ownKey === true };
  } catch (error) {
    failures.push(told(error));
    return undefined;
  }
}

async function spread(system: string, event: AuditEvent, first: Written, story: Story): Promise<AuditWritten> {
  const { host, ownKey, ...written } = first;
  const until = Date.now() + SPREAD_MS;
  let latest: AuditWritten = written;
  for (
    let pauseMs = 60_000;
    latest.lacking.length > 0 && Date.now() < until;
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
  ) {
    story.waitFor(latest.lacking.map(({ store }) => store).join(', '));
    await sleep(pauseMs, { summary: 'a store did not take it' });
    const again = await tryOn(host, { system, event, ...(ownKey ? { ownKey } : {}) }, []);
    if (again !== undefined) latest = { key: again.key, stores: again.stores, lacking: again.lacking };
  }
  return latest;
}
