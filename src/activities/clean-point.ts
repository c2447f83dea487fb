/** What is looked at to find a clean backup, on the host that holds a component. Names of files stay in its evidence. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { redactText } from '../observe/redact.ts';
import { judgeChanges, type ChangeFacts, type CleanCheck } from '../policy/clean-point.ts';
import { judgeEntropy, judgeNames } from '../policy/entropy.ts';
import { SERVICE_KINDS } from '../policy/services.ts';
import { compareProfiles, writeProfile } from '../sources/clean/profile.ts';
import { isMissing } from '../sources/io-errors.ts';
import { goThroughStores } from '../status/clean-report.ts';
import type { Component, System } from '../system/types.ts';
import type { CatalogueEntry, ComponentRecord } from '../vault/types.ts';
import { listOf } from '../workflows/lists.ts';
import { askCommand, askQueries, mustBeTypedHere, placeOfCopy } from './clean-checks.ts';
import { disksOf, noRoomFor, requireRoom } from './clean-room.ts';
import type { CleanCandidate, CleanPointActivities, CleanSearch } from './clean-point-types.ts';
import { frozenOf } from './cold.ts';
import { componentOf, type HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import { findEntry } from './verify.ts';

type Input<A extends keyof CleanPointActivities> = Parameters<CleanPointActivities[A]>[0];

const MOST_BACKUPS = 60;

export async function planCleanPoint(
  context: HostContext,
  input: Input<'planCleanPoint'>,
  run: Run,
): Promise<CleanSearch> {
  const system = await context.system(input.system);
  mustBeTypedHere(context, input);
  const components = componentsOf(system, input);
  const evidence = await evidenceDirectory(context, system, input.searchId);
  const { store } = await findEntry(context, system, input, run.signal);
  const filter = { signal: run.signal, ...(input.plan === undefined ? {} : { plan: input.plan }) };
  const entries = (await context.catalogue(system, store, filter)).filter(
    ({ body }) => body.purpose === 'backup' && body.components.some(({ name }) => isOneOf(components, name)),
  );
  const chosen = entries.filter(isBefore(input.before)).slice(0, amountOf(system, input));
  const changed = (input.changes ?? system.cleanPoint.changes) ? changesOf(entries, components) : new Map();
  const disks = await disksOf(components, context.host, context.kindContext(system, run));
  requireRoom(chosen.map((entry) => noRoomFor(entry, disks)));
  const candidates: CleanCandidate[] = [];
  for (const entry of chosen) {
    const skip = (await whySkipped(system, store, entry, components, run)) ?? noRoomFor(entry, disks);
    candidates.push({
      backup: entry.body.id,
      manifestKey: entry.key,
      pointAt: entry.body.pointAt,
      ...(skip === undefined ? {} : { skip }),
      components: recordsOf(entry, components).map((record) => {
        const changes = changed.get(`${entry.key} ${record.name}`) as CleanCheck | undefined;
        const content = `${entry.body.epoch} ${record.artifacts.map(({ name, root }) => `${name}:${root}`).join(' ')}`;
        return { name: record.name, content, ...(changes === undefined ? {} : { changes }) };
      }),
    });
  }
  return {
    store,
    evidence,
    components: components.map(({ name, kind, host }) => ({
      name,
      kind,
      host,
      profiled: isProfiled(system, input, kind),
    })),
    candidates,
    bisect: input.bisect === true,
    limitSeconds: input.limitSeconds ?? system.cleanPoint.limitSeconds,
    warnings: warningsOf(system, components),
  };
}

type Asked = Input<'planCleanPoint'>;

const TREES: readonly string[] = ['files', 'volume'];
const COPIES: readonly string[] = [...TREES, 'sqlite'];

/** Throws BadInput for one that nothing of what was asked could judge. */
function componentsOf(system: System, asked: Asked): Component[] {
  const { cleanPoint } = system;
  const queried = new Set(cleanPoint.queries.map(({ probe }) => probe.component));
  if (asked.query !== undefined) queried.add(asked.query.slice(0, Math.max(0, asked.query.indexOf(':'))).trim());
  const named = listOf(asked.components);
  const usual = system.components.filter(({ name, kind }) => TREES.includes(kind) || queried.has(name));
  const chosen =
    named.length > 0
      ? named.map((name) => componentOf(system, name))
      : (cleanPoint.components?.map((name) => componentOf(system, name)) ?? usual);
  const hasCommand = asked.command !== undefined || cleanPoint.command !== undefined;
  for (const { name, kind } of chosen) {
    const changes = asked.changes ?? cleanPoint.changes;
    const judged =
      queried.has(name) || changes || isProfiled(system, asked, kind) || (hasCommand && COPIES.includes(kind));
    if (!judged || SERVICE_KINDS.includes(kind)) {
      throw new HoldfastError('BadInput', `nothing that was asked can tell whether ${name} (${kind}) is clean`, {
        hint: 'Give a query for a database, a command for trees of files, or leave the component out.',
      });
    }
  }
  if (chosen.length > 0) return chosen;
  throw new HoldfastError('BadInput', `${system.name} has no tree of files and no volume to look at`, {
    hint: 'Name a database with --query, or write `cleanPoint` into the system file.',
  });
}

function isProfiled(system: System, asked: Asked, kind: string): boolean {
  return (asked.entropy ?? system.cleanPoint.entropy) && TREES.includes(kind);
}

function isOneOf(components: readonly Component[], name: string): boolean {
  return components.some((component) => component.name === name);
}

function amountOf(system: System, { backups = system.cleanPoint.backups }: Asked): number {
  if (Number.isInteger(backups) && backups >= 1 && backups <= MOST_BACKUPS) return backups;
  throw new HoldfastError('BadInput', `${backups} backups: write a whole number from 1 to ${MOST_BACKUPS}`);
}

function isBefore(before: string | undefined): (entry: CatalogueEntry) => boolean {
  if (before === undefined) return () => true;
  const limit = Date.parse(before);
  if (Number.isNaN(limit)) throw new HoldfastError('BadInput', `"${before}" is no time such as 2026-11-21T02:00:00Z`);
  return ({ body }) => Date.parse(body.pointAt) < limit;
}

/** What the database of a system holds is worth a word when nobody asked for it. */
function warningsOf(system: System, components: readonly Component[]): string[] {
  const left = system.components.filter(
    ({ name, kind }) => !SERVICE_KINDS.includes(kind) && !isOneOf(components, name),
  );
  return left.map(({ name, kind }) => `${name} (${kind}) was not looked at: nothing says how to judge it`);
}

async function whySkipped(
  system: System,
  store: string,
  { body, trust, apart }: CatalogueEntry,
  components: readonly Component[],
  run: Run,
): Promise<string | undefined> {
  if (!trust.ok) return `it can't be trusted: ${trust.why}`;
  if (apart !== undefined) return apart;
  const names = components.map(({ name }) => name);
  const frozen = await frozenOf(system, store, body, { components: names }, run);
  if (frozen === undefined) return undefined;
  return `it is frozen: ${frozen.objects} objects in ${frozen.storageClass}; thaw it with holdfast restore --thaw`;
}

function recordsOf({ body }: CatalogueEntry, components: readonly Component[]): ComponentRecord[] {
  return body.components.filter(({ name }) => isOneOf(components, name));
}

/** By manifest and component: each against those of its plan before it, also such as are not looked at. */
function changesOf(newestFirst: readonly CatalogueEntry[], components: readonly Component[]): Map<string, CleanCheck> {
  const found = new Map<string, CleanCheck>();
  const plans = new Set(newestFirst.map(({ body }) => body.plan));
  for (const { name } of components) {
    for (const plan of plans) {
      const facts = newestFirst
        .filter(({ body, trust }) => trust.ok && body.plan === plan)
        .toReversed()
        .flatMap((entry) => factsOf(entry, name));
      for (const [key, verdict] of judgeChanges(facts)) {
        found.set(`${key} ${name}`, { component: name, name: 'changes', ...verdict });
      }
    }
  }
  return found;
}

function factsOf({ key, body }: CatalogueEntry, component: string): ChangeFacts[] {
  const record = body.components.find(({ name }) => name === component);
  if (record === undefined) return [];
  const { chunksNew, chunksReused } = record.counts;
  const lengthBytes = record.artifacts.reduce((sum, artifact) => sum + artifact.lengthBytes, 0);
  return [{ backup: key, chunksNew, chunksReused, lengthBytes, epoch: body.epoch }];
}

export async function lookClean(context: HostContext, input: Input<'lookClean'>, run: Run): Promise<CleanCheck[]> {
  const system = await context.system(input.system);
  mustBeTypedHere(context, input);
  const component = componentOf(system, input.beside.component);
  const copy = await placeOfCopy(component, input.beside, context.kindContext(system, run));
  const asking = { context, system, component, copy, run };
  const checks = [...(await askCommand(asking, input.command)), ...(await askQueries(asking, input.query))].map(
    (check) => ({ ...check, detail: redactText(check.detail) }),
  );
  if (input.profile && copy.path !== undefined) {
    const directory = await evidenceDirectory(context, system, input.searchId);
    await writeProfile(copy.path, profileOf(directory, component.name, input.backup), {
      signal: run.signal,
      onProgress: (filesDone) => run.report({ phase: `files of ${input.backup}`, filesDone }),
    });
  }
  return checks;
}

export async function compareClean(context: HostContext, input: Input<'compareClean'>, run: Run): Promise<CleanCheck> {
  const { component, earlier, later } = input;
  const facts = { component, name: 'entropy' } as const;
  if (earlier === later) return { ...facts, state: 'clean', detail: 'the same bytes as in the backup before' };
  const system = await context.system(input.system);
  const directory = await evidenceDirectory(context, system, input.searchId);
  run.report({ phase: `compare ${later}` });
  const names = path.join(directory, `${component}-${later}.jsonl`);
  const before = earlier === undefined ? undefined : profileOf(directory, component, earlier);
  const seen = await compareProfiles(before, profileOf(directory, component, later), names, run.signal);
  if (before === undefined) return { ...facts, ...judgeNames(seen) };
  const { state, detail } = judgeEntropy(seen);
  return { ...facts, state, detail: `${detail} since ${earlier ?? ''}` };
}

export async function reportCleanPoint(
  context: HostContext,
  input: Input<'reportCleanPoint'>,
  run: Run,
): Promise<{ report: string; reportFile: string }> {
  const system = await context.system(input.system);
  run.report({ phase: 'report' });
  const written = await goThroughStores(system, `clean-point@${context.host}`, input);
  const directory = await evidenceDirectory(context, system, input.searchId);
  for (const name of await readdir(directory)) {
    if (name.startsWith(PROFILE)) await rm(path.join(directory, name), { force: true });
  }
  return written;
}

const PROFILE = 'profile-';

function profileOf(directory: string, component: string, backup: string): string {
  return path.join(directory, `${PROFILE}${component}-${backup}.jsonl`);
}

/** One for each search; what searches long ago have left goes. */
async function evidenceDirectory(context: HostContext, system: System, searchId: string): Promise<string> {
  const parent = path.join(context.stateDirectory(system.name), 'clean-point');
  const own = path.join(parent, searchId.replaceAll(/[^\w.-]/g, '_'));
  await mkdir(own, { recursive: true, mode: 0o700 });
  const oldMs = Date.now() - system.keepAsideSeconds * 1000;
  for (const name of await readdir(parent)) {
    const each = path.join(parent, name);
    const changedMs = await stat(each).then(
      ({ mtimeMs }) => mtimeMs,
      (error: unknown) => {
        if (isMissing(error)) return Infinity;
        throw error;
      },
    );
    if (each !== own && changedMs < oldMs) await rm(each, { recursive: true, force: true });
  }
  return own;
}
