/** Takes one backup of a plan: a recovery point that exists if and only if its manifest does. */
import { CancellationScope, isCancellation, patched, workflowInfo } from '@temporalio/workflow';
import type { BackupFacts, CommittedConfiguration } from '../activities/types.ts';
import type { CaptureTicket } from '../vault/types.ts';
import { captureGroups, silenceOf, type Gathered } from './capture.ts';
import type { BackupInput, BackupResult } from './contract.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { withSystemLock } from './lock.ts';
import { onHost, orchestration, starting, whileHostAnswers } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<BackupInput> = {
  system: { ...NAME, required: true },
  plan: { ...NAME, required: true },
  tag: NAME,
  waitSeconds: { type: 'number' },
};

const STEPS = ['wait for the system', 'begin', 'capture', 'commit', 'verify', 'report'] as const;

const WAIT_SECONDS = 6 * 3600;
/** Before, a store was waited for with the system's lock in hand. */
const STORE_BEFORE_LOCK = 'store-before-lock';
const CHOICE_HOLDS_MS = 30_000;

/** `skipped` when the same plan is being backed up already; otherwise `done`, or the run fails and says why. */
export async function backup(input: BackupInput): Promise<BackupResult> {
  const asked = parseInput<BackupInput>('backup', input, FIELDS);
  const story = new Story('backup', STEPS);
  return inOneVoice(() => run(asked, story));
}

async function run(asked: BackupInput, story: Story): Promise<BackupResult> {
  story.about(asked.system);
  const facts = await orchestration.describeBackup({ system: asked.system, plan: asked.plan });
  return reportingFailure(facts.system, 'backup', () => runOn(facts, asked, story));
}

async function runOn(facts: BackupFacts, asked: BackupInput, story: Story): Promise<BackupResult> {
  const { system, site, plan } = facts;

  // Before the system is taken: a plan whose only store is away for hours must not keep the others from theirs.
  const chosen = patched(STORE_BEFORE_LOCK) ? await chooseStore(facts, story) : undefined;

  // One operation at a time, so that nothing is restored or stopped while it is being read.
  story.begin('wait for the system');
  const { waitSeconds = WAIT_SECONDS } = asked;
  const locked = await withSystemLock(story, { system, site, operation: 'backup', plan, waitSeconds }, () =>
    capture(facts, asked, story, chosen),
  );
  const result: BackupResult = locked.held ? locked.value : { outcome: 'skipped', why: locked.why };

  story.begin('report');
  await writeDown({ system, kind: 'backup', id: workflowInfo().runId, report: { ...result } });
  story.finish();
  return result;
}

async function capture(
  given: BackupFacts,
  asked: BackupInput,
  story: Story,
  chosen: Chosen | undefined,
): Promise<BackupResult> {
  const silentSeconds = silenceOf(given);
  const { store, warnings } = chosen !== undefined && isFresh(chosen) ? chosen : await choose(given, story);
  const facts = { ...given, store };
  const { system, plan } = facts;

  // The vault learns of the capture first, so that a sweep waits for it or stops it, never misses it.
  story.begin('begin');
  // The run's own id: a retry of the activity finds the same capture, another run makes another.
  const { runId: captureId } = workflowInfo();
  const startedAtMs = Date.now();
  const ticket = await whileHostAnswers(system, facts.commitHost, { silentSeconds }, (host) =>
    host.beginCapture({ system, plan, store, captureId, startedAtMs }),
  );

  try {
    story.begin('capture');
    const gathered = await captureGroups({ ...facts, ticket, purpose: 'backup', patience: 'patient' });

    // Written last: until here nothing of this backup is visible.
    story.begin('commit');
    const { components, freezes } = gathered;
    const tag = asked.tag === undefined ? {} : { tag: asked.tag };
    const committed = await whileHostAnswers(system, facts.commitHost, { silentSeconds }, (host) =>
      host.commitCapture({ system, store, ticket, purpose: 'backup', ...tag, components, freezes }),
    );

    // Beside this run, which they can neither delay nor fail: a store that is away gets its copy when it is back.
    const copies = await startCopies(facts);

    const configuration = await commitConfiguration(facts, ticket.backupId, asked.tag, story);

    story.begin('verify');
    const read = await readBack(facts, committed.manifestKey);
    const told = {
      ...read,
      warnings: [...warnings, ...(committed.warnings ?? []), ...copies, ...configuration, ...read.warnings],
    };
    return { ...resultOf(ticket, committed, gathered, told), ...(isOneOfMany(facts) ? { store } : {}) };
  } catch (error) {
    story.fail(told(error).message);
    await CancellationScope.nonCancellable(() => abandon(facts, ticket));
    throw error;
  }
}

function isOneOfMany({ stores = [] }: BackupFacts): boolean {
  return stores.length > 1;
}

interface Chosen {
  readonly store: string;
  readonly warnings: readonly string[];
  readonly atMs: number;
}

/** After a long wait for the system another store may be the first that answers. */
function isFresh({ atMs }: Chosen): boolean {
  return Date.now() - atMs < CHOICE_HOLDS_MS;
}

async function choose(facts: BackupFacts, story: Story): Promise<Chosen> {
  return isOneOfMany(facts) ? chooseStore(facts, story) : { store: facts.store, warnings: [], atMs: Date.now() };
}

/** The first store of the plan that can be reached; what keeps another from it is told, and its copy comes later. */
async function chooseStore(facts: BackupFacts, story: Story): Promise<Chosen> {
  const { system, store, stores = [store], commitHost } = facts;
  story.begin('choose a store');
  const chosen = await whileHostAnswers(system, commitHost, { silentSeconds: silenceOf(facts) }, (host) =>
    host.chooseStore({ system, stores }),
  );
  const warnings = chosen.passedOver.map(
    ({ store: other, why }) => `The store ${other} was passed over, and gets a copy when it can: ${why}`,
  );
  return { store: chosen.store, warnings, atMs: Date.now() };
}

/** The backup is committed: what keeps its copies from starting is told, and the next one starts them. */
async function startCopies(facts: BackupFacts): Promise<string[]> {
  if (!isOneOfMany(facts)) return [];
  const { system, store, stores = [] } = facts;
  const targets = stores.filter((other) => other !== store);
  try {
    await CancellationScope.nonCancellable(() => starting.startCopies({ system, targets }));
    return [];
  } catch (error) {
    const next = targets.map((target) => `holdfast copy ${system} ${target}`).join(', ');
    return [`The copies were not started (${told(error).message}): ${next}`];
  }
}

/** The backup is committed: what keeps its text from git is told, and the next one commits it. */
async function commitConfiguration(
  { system, plan, git = [] }: BackupFacts,
  backupId: string,
  tag: string | undefined,
  story: Story,
): Promise<string[]> {
  const warnings: string[] = [];
  if (git.length > 0) story.begin('commit to git');
  for (const { host, components } of git) {
    const steps = onHost(host, { summary: 'text configuration to git', patience: 'brief', giveUpAfterSeconds: 600 });
    const asked = { system, plan, backup: backupId, components, ...(tag === undefined ? {} : { tag }) };
    try {
      warnings.push(...gitWarnings(await steps.commitConfiguration(asked)));
    } catch (error) {
      if (isCancellation(error)) throw error;
      warnings.push(`The configuration was backed up and not committed to git: ${told(error).message}`);
    }
  }
  return warnings;
}

function gitWarnings({ leftOut, leftOutCount, pushTrouble }: CommittedConfiguration): string[] {
  const left = leftOut.map(({ path, why }) => `Not committed to git: ${path} (${why})`);
  return [
    ...left,
    ...(leftOutCount > left.length ? [`Not committed to git: ${leftOutCount - left.length} more files`] : []),
    ...(pushTrouble === undefined ? [] : [`The commit was not pushed, the next one will be: ${pushTrouble}`]),
  ];
}

interface ReadBack {
  readonly verified?: { readonly level: string; readonly ok: boolean };
  readonly warnings: readonly string[];
}

/** The backup is committed: whatever happens here is told and changes nothing about that. */
async function readBack(facts: BackupFacts, manifestKey: string): Promise<ReadBack> {
  const { system, store, verify: level } = facts;
  const { verifyBackup } = onHost(facts.commitHost, {
    summary: `${level} of ${manifestKey}`,
    patience: 'brief',
    silentSeconds: silenceOf(facts),
  });
  try {
    const { ok, bad } = await verifyBackup({ system, store, manifestKey, level });
    const first = bad[0];
    return {
      verified: { level, ok },
      warnings: first === undefined ? [] : [`Verification found damage: ${first.key}: ${first.what}`],
    };
  } catch (error) {
    const why = isCancellation(error) ? 'the run was cancelled' : told(error).message;
    return { warnings: [`The backup is committed but was not verified: ${why}`] };
  }
}

function resultOf(
  ticket: CaptureTicket,
  committed: { manifestKey: string; pointAt: string },
  { components, freezes, warnings }: Gathered,
  read: ReadBack,
): BackupResult {
  const sum = (count: 'readBytes' | 'storedBytes' | 'chunksNew' | 'chunksReused') =>
    components.reduce((total, component) => total + component.counts[count], 0);
  const all = [...warnings, ...components.flatMap((component) => component.warnings), ...read.warnings];
  return {
    outcome: 'done',
    backup: ticket.backupId,
    manifestKey: committed.manifestKey,
    pointAt: committed.pointAt,
    readBytes: sum('readBytes'),
    storedBytes: sum('storedBytes'),
    chunksNew: sum('chunksNew'),
    chunksReused: sum('chunksReused'),
    downtimeMs: freezes.reduce((total, freeze) => total + freeze.downtimeMs, 0),
    ...(read.verified === undefined ? {} : { verified: read.verified }),
    ...(all.length === 0 ? {} : { warnings: all.slice(0, 50) }),
  };
}

/** Closes the capture's record; a store that is down must not keep the lock, and a sweep settles the record anyway. */
async function abandon(facts: BackupFacts, ticket: CaptureTicket): Promise<void> {
  const { system, store } = facts;
  const brief = onHost(facts.commitHost, {
    summary: 'abandon the capture',
    patience: 'brief',
    giveUpAfterSeconds: silenceOf(facts),
  });
  try {
    await brief.abandonCapture({ system, store, ticket });
  } catch {
    // Told by the failure that led here; this one adds nothing an operator could act on.
  }
}
