/**
 * Names the newest backup that is known to be clean. Each is restored into scratch, judged there and removed again; what
 * is live is never touched, so that this takes no lock and asks nobody.
 */
import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import type { CleanCandidate, CleanSearch } from '../activities/clean-point-types.ts';
import type { SystemFacts } from '../activities/types.ts';
import {
  decideCleanPoint,
  nextToLook,
  settleChanges,
  stateOf,
  type BackupVerdict,
  type CleanCheck,
} from '../policy/clean-point.ts';
import type { Beside } from '../sources/kinds/component.ts';
import { silenceOf } from './capture.ts';
import type { CleanPointInput, CleanPointResult } from './contract.ts';
import type { FailureCode } from '../failures.ts';
import { inOneVoice, told } from './failure.ts';
import { NAME, parseInput, type Fields } from './input.ts';
import { onHost, orchestration, whileHostAnswers } from './proxies.ts';
import { reportingFailure, writeDown } from './report.ts';
import { Story } from './story.ts';

const FIELDS: Fields<CleanPointInput> = {
  system: { ...NAME, required: true },
  components: { type: 'string' },
  plan: NAME,
  store: NAME,
  backups: { type: 'number' },
  before: { type: 'string' },
  command: { type: 'string' },
  query: { type: 'string' },
  entropy: { type: 'boolean' },
  changes: { type: 'boolean' },
  bisect: { type: 'boolean' },
  limitSeconds: { type: 'number' },
};

/** Failures of what is in a backup. */
const TELLING: readonly FailureCode[] = [
  'ArchiveBroken',
  'UnsafePath',
  'ObjectMissing',
  'ObjectCorrupt',
  'SourceCorrupt',
  'CheckFailed',
];

/** One run. */
interface Errand {
  readonly asked: CleanPointInput;
  readonly facts: SystemFacts;
  readonly host: string;
  readonly searchId: string;
  readonly story: Story;
}

interface Place {
  readonly name: string;
  readonly host: string;
  readonly profiled: boolean;
}

/** That no backup is clean is an answer (`none`); a backup that can't be restored is not clean, and the search goes on. */
export async function cleanPoint(input: CleanPointInput): Promise<CleanPointResult> {
  const asked = parseInput<CleanPointInput>('cleanPoint', input, FIELDS);
  const story = new Story('cleanPoint', ['choose the backups']);
  return inOneVoice(async () => {
    story.about(asked.system);
    const facts = await orchestration.describeSystem({ system: asked.system });
    const host = facts.components[0]?.host ?? '';
    const errand = { asked, facts, host, searchId: workflowInfo().runId, story };
    return reportingFailure(asked.system, 'cleanPoint', () => run(errand));
  });
}

async function run(errand: Errand): Promise<CleanPointResult> {
  const { asked, facts, host, searchId, story } = errand;
  const { system } = asked;
  const beganAt = Date.now();

  story.begin('choose the backups');
  const options = { summary: 'choose the backups', silentSeconds: silenceOf(facts) };
  const search = await whileHostAnswers(system, host, options, (there) => there.planCleanPoint({ ...asked, searchId }));

  const looked = await lookAtAll(errand, search, beganAt);

  story.begin('compare with earlier ones');
  const verdicts = await concluded(errand, search, looked);
  const decision = decideCleanPoint(verdicts);
  const chosen = search.candidates.find(({ backup }) => backup === decision.newestClean);

  story.begin('report');
  const { newestClean } = decision;
  const { notLooked } = looked;
  const reported = await whileHostAnswers(system, host, { ...options, summary: 'report' }, (there) =>
    there.reportCleanPoint({
      ...{ system, searchId, atMs: beganAt, verdicts, notLooked },
      ...(newestClean === undefined ? {} : { newestClean }),
    }),
  );
  const components = search.components.map(({ name }) => name);
  const result: CleanPointResult = {
    outcome: chosen === undefined ? 'none' : 'found',
    ...(chosen === undefined ? {} : { backup: chosen.backup, store: search.store, pointAt: chosen.pointAt }),
    components,
    verdicts,
    notClean: decision.notClean,
    undecided: decision.undecided,
    notLooked,
    warnings: search.warnings,
    ...reported,
    ...(chosen === undefined ? {} : { restore: restoreCommand(system, chosen.backup, search.store) }),
    evidence: search.evidence,
    host,
    durationMs: Date.now() - beganAt,
  };
  await writeDown({ system, kind: 'cleanPoint', id: searchId, report: { ...result } });
  story.finish();
  return result;
}

function restoreCommand(system: string, backup: string, store: string): string {
  return `holdfast restore ${system} ${backup} --store ${store}`;
}

type Found = Map<string, readonly CleanCheck[]>;
/** By component and content: what was found, and in which backup. */
type Known = Map<string, { readonly backup: string; readonly checks: readonly CleanCheck[] }>;

/** Newest first, or where halving leads; what is the same in two backups is restored once. */
async function lookAtAll(
  errand: Errand,
  search: CleanSearch,
  beganAt: number,
): Promise<{ found: Found; known: Known; notLooked: CleanPointResult['notLooked'] }> {
  const { candidates, components, limitSeconds, bisect } = search;
  const usable = candidates.filter(({ skip }) => skip === undefined);
  const found: Found = new Map();
  const known: Known = new Map();
  let late = false;
  for (;;) {
    const seen = usable.map(({ backup }) => {
      const checks = found.get(backup);
      return checks === undefined ? undefined : !isBad(checks);
    });
    const next = nextToLook(seen, bisect ? 'bisect' : 'all');
    const candidate = next === undefined ? undefined : usable[next];
    if (candidate === undefined) break;
    late = Date.now() - beganAt > limitSeconds * 1000;
    if (late) break;
    errand.story.begin(`backup ${found.size + 1} of ${usable.length}: ${candidate.backup}`);
    const checks: CleanCheck[] = [];
    for (const place of components) checks.push(...(await lookAtOne(errand, search, candidate, place, known)));
    found.set(candidate.backup, checks);
  }
  const notLooked = candidates
    .filter(({ backup }) => !found.has(backup))
    .map(({ backup, pointAt, skip }) => {
      const why = skip ?? (late ? 'the time limit was reached' : 'not needed, if what has come once has stayed');
      return { backup, pointAt, why };
    });
  return { found, known, notLooked };
}

const isBad = (checks: readonly CleanCheck[]): boolean => checks.some(({ state }) => state === 'bad');

async function lookAtOne(
  errand: Errand,
  search: CleanSearch,
  candidate: CleanCandidate,
  place: Place,
  known: Known,
): Promise<readonly CleanCheck[]> {
  const own = candidate.components.find(({ name }) => name === place.name);
  if (own === undefined) {
    return [{ component: place.name, name: 'restored', state: 'unknown', detail: 'it is not in this backup' }];
  }
  const same = known.get(`${place.name} ${own.content}`);
  if (same !== undefined) return same.checks;
  const checks = await restoredAndJudged(errand, search, candidate, place);
  known.set(`${place.name} ${own.content}`, { backup: candidate.backup, checks });
  return checks;
}

/** Scratch goes whatever happens; what can't be restored is a verdict. */
async function restoredAndJudged(
  { asked, facts, searchId }: Errand,
  search: CleanSearch,
  { backup, manifestKey }: CleanCandidate,
  { name: component, host, profiled }: Place,
): Promise<CleanCheck[]> {
  const { system } = asked;
  const silentSeconds = silenceOf(facts);
  const restoreId = searchId;
  let beside: Beside = { component, restoreId, place: '', facts: {} };
  try {
    const input = { system, store: search.store, manifestKey, component, paths: [], restoreId };
    const restoring = { summary: `restore ${component} of ${backup}`, silentSeconds, patience: 'brief' } as const;
    beside = await whileHostAnswers(system, host, restoring, (there) => there.restoreBeside(input));
    const checking = { summary: `check ${component} of ${backup}`, silentSeconds };
    const whole = await whileHostAnswers(system, host, checking, (there) => there.checkBeside({ system, beside }));
    const wrong = whole.checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    const restored: CleanCheck = {
      ...{ component, name: 'restored', state: wrong.length === 0 ? 'clean' : 'bad' },
      detail: wrong.length === 0 ? `restored, ${whole.checks.length} checks passed` : wrong.join('; '),
    };
    const { command, query } = asked;
    const judged = await whileHostAnswers(system, host, checking, (there) =>
      there.lookClean({
        ...{ system, searchId, backup, beside, profile: profiled },
        ...(command === undefined ? {} : { command }),
        ...(query === undefined ? {} : { query }),
      }),
    );
    return [restored, ...judged];
  } catch (error) {
    if (isCancellation(error)) throw error;
    const { code, message } = told(error);
    if (code === 'HostSilent') throw error;
    // A full disk, or a store that is away, says nothing of what is in the backup.
    const state = TELLING.includes(code) ? 'bad' : 'unknown';
    return [{ component, name: 'restored', state, detail: `${code}: ${message}` }];
  } finally {
    await CancellationScope.nonCancellable(() => discard(system, host, beside, silentSeconds));
  }
}

async function discard(system: string, host: string, beside: Beside, giveUpAfterSeconds: number): Promise<void> {
  try {
    await onHost(host, { summary: 'remove the copy', patience: 'brief', giveUpAfterSeconds }).discardBeside({
      system,
      beside,
    });
  } catch (error) {
    if (isCancellation(error)) throw error;
    // The next run on the component removes what is left.
  }
}

/** Files are compared with the newest earlier backup that was found clean itself: what an attack left is no measure. */
async function concluded(
  errand: Errand,
  search: CleanSearch,
  { found, known }: { readonly found: Found; readonly known: Known },
): Promise<BackupVerdict[]> {
  const oldestFirst = search.candidates.filter(({ backup }) => found.has(backup)).toReversed();
  for (const place of search.components) {
    const none = new Map<string, CleanCheck>();
    const entropies = place.profiled ? await comparisons(errand, place, oldestFirst, { found, known }) : none;
    const changes = settleChanges(
      oldestFirst.map(({ backup, components }) => {
        const own = components.find(({ name }) => name === place.name)?.changes;
        const entropy = entropies.get(backup);
        return {
          backup,
          ...(own === undefined ? {} : { changes: own }),
          ...(entropy === undefined ? {} : { entropy }),
        };
      }),
    );
    for (const { backup } of oldestFirst) {
      const more = [entropies.get(backup), changes.get(backup)];
      const checks = found.get(backup) ?? [];
      found.set(backup, [...checks, ...more.filter((check) => check !== undefined)]);
    }
  }
  const names = search.components.map(({ name }) => name);
  return oldestFirst.toReversed().map(({ backup, pointAt }) => {
    const checks = found.get(backup) ?? [];
    return { backup, pointAt, state: stateOf(checks, names), checks };
  });
}

async function comparisons(
  { asked, facts, searchId }: Errand,
  { name: component, host }: Place,
  oldestFirst: readonly CleanCandidate[],
  { found, known }: { readonly found: Found; readonly known: Known },
): Promise<Map<string, CleanCheck>> {
  const { system } = asked;
  const options = { summary: `compare files of ${component}`, silentSeconds: silenceOf(facts) };
  const compared = new Map<string, CleanCheck>();
  let earlier: string | undefined;
  let same: { readonly of: string; readonly check: CleanCheck } | undefined;
  for (const { backup, components } of oldestFirst) {
    const content = components.find(({ name }) => name === component)?.content ?? '';
    // What is the same in several backups was restored, and noted, in one of them.
    const later = known.get(`${component} ${content}`)?.backup ?? backup;
    const checks = (found.get(backup) ?? []).filter((check) => check.component === component);
    // What could not be restored, or is not clean otherwise, was not noted, or is no measure.
    if (checks.length === 0 || !checks.every(({ state }) => state === 'clean')) continue;
    const input = { system, searchId, component, later, ...(earlier === undefined ? {} : { earlier }) };
    // The same bytes are as clean as they were, and as unknown.
    const check: CleanCheck =
      same?.of === later
        ? same.check
        : await whileHostAnswers(system, host, options, (there) => there.compareClean(input));
    same = { of: later, check };
    compared.set(backup, check);
    if (check.state === 'clean' || (earlier === undefined && check.state === 'skipped')) earlier = later;
  }
  return compared;
}
