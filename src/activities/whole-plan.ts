/** The plan of a whole system's restore: which backup each component comes from, and what is lost. Changes nothing. */
import { HoldfastError } from '../failures.ts';
import { planDigest } from '../policy/digest.ts';
import { allPassedOver, FALL_BACKS, moreLost, passedOverTexts, withBadParts } from '../policy/fall-back.ts';
import { restoreOrder } from '../policy/order.ts';
import { restoreWarnings } from '../policy/restore-warnings.ts';
import { chooseBackups, offers, type Choice, type Wish } from '../policy/whole-system.ts';
import type { Component, System } from '../system/types.ts';
import type { PartSource, RestorePlan, WholePart, WholePlan } from '../workflows/contract.ts';
import { listOf } from '../workflows/lists.ts';
import { frozenOf } from './cold.ts';
import { componentOf, type HostContext } from './host-context.ts';
import { findRecoveryPoint } from './recovery-point.ts';
import { lateServers } from './late-servers.ts';
import { actionsInPlace, keptFor, lookAround, seenLate, seenOf, serverStop, type Seen } from './restore-plan.ts';
import type { Run } from './shell.ts';
import type { HostActivities } from './types.ts';
import { readStock, rivalsOf, wantedOf, type Stock } from './whole-stock.ts';

type Asked = Parameters<HostActivities['planRestore']>[0];

/** One component with where it comes from and what is there at present. */
interface Part {
  readonly source: PartSource & { readonly pointAt?: string };
  readonly seen: Seen;
}

export async function planWhole(context: HostContext, asked: Asked, run: Run): Promise<RestorePlan> {
  const system = await context.system(asked.system);
  const wish = wishOf(asked);
  run.report({ phase: 'read the catalogues' });
  const read = await readStock(context, system, asked, { nowMs: wish.nowMs, signal: run.signal });
  const fellBack = asked.fellBack ?? { times: 0, passedOver: [] };
  const stock: Stock = { ...read, candidates: withBadParts(read.candidates, fellBack.passedOver) };
  const scope = scopeOf(system, asked);
  const rivals = rivalsOf(scope, stock.candidates);
  const wanted = wantedOf(system, rivals.components);
  const choice = chooseBackups(wanted, stock.candidates, wish);
  const { sources, warnings: reached } = await sourcesOf(context, system, { asked, choice, stock, wish }, run.signal);
  if (sources.size === 0) throw nothingToRestore(system, choice, stock);

  const known = restoreOrder(rivals.components.filter(({ name }) => sources.has(name)));
  const looked = await lookAround(context, system, asked, known, run);
  const from = known.map((component) => ({ component, ...sourceOf(sources, component.name) }));
  const servers = await lateServers(context, system, from, run);
  const parts = known.map((component): Part => {
    const source = sourceOf(sources, component.name);
    return { source, seen: seenLate(seenOf(component, looked, stock.bodyOf(source), []), servers) };
  });
  const problems = new Map(
    looked.flatMap(({ components }) => components.map((one) => [one.name, one.problems] as const)),
  );
  const passedOver = allPassedOver(choice.passedOver, fellBack.passedOver);
  const wouldHaveBeen = [
    ...chooseBackups(wanted, read.candidates, wish).parts.map(({ name, candidate: { pointAt } }) => ({
      name,
      pointAt,
    })),
    ...passedOver.map(({ component: name, pointAt }) => ({ name, pointAt })),
  ];
  const more = moreLost(
    parts.map(({ seen, source: { pointAt } }) => ({ name: seen.component.name, pointAt })),
    wouldHaveBeen,
  );
  const whole: WholePlan = {
    ...(wish.beforeMs === undefined ? {} : { before: new Date(wish.beforeMs).toISOString() }),
    parts: parts.map((part) => {
      const { name } = part.seen.component;
      const moreLostSeconds = more.get(name);
      const isLate = servers.some(({ component }) => component === name);
      const described = wholePart(system, part, wish, isLate ? [] : (problems.get(name) ?? []));
      return moreLostSeconds === undefined ? described : { ...described, moreLostSeconds };
    }),
    spreadSeconds: spreadOf(parts),
    missing: choice.missing
      .filter(({ name }) => !sources.has(name))
      .map(({ name, why }) => ({ name, why, needed: isNeeded(system, componentOf(system, name), true) })),
    passedOver,
    fallBacks: { made: fellBack.times, most: asked.fallBacks ?? FALL_BACKS },
    frozen: await frozenParts(system, stock, parts, asked, run),
  };
  const actions = actionsInPlace(
    system,
    parts.map(({ seen }) => seen),
    looked,
    servers,
  );
  const main = mainSource(parts);
  const plan = { backup: main.backup, manifestKey: main.manifestKey, store: main.store, actions };
  const pointAt = oldestPoint(parts);
  const [frozen] = whole.frozen;
  return {
    digest: planDigest({ system: system.name, ...plan, whole }),
    ...plan,
    pointAt,
    components: parts.map(({ seen: { component, live, sizeBytes } }) => ({
      name: component.name,
      kind: component.kind,
      host: component.host,
      sizeBytes,
      liveExists: live.exists,
      ...(live.newestChangeMs === undefined ? {} : { liveChangedAt: new Date(live.newestChangeMs).toISOString() }),
    })),
    ...keptFor(
      system,
      parts.map(({ seen }) => seen),
    ),
    warnings: [
      ...stock.silent,
      ...rivals.notes,
      ...passedOverTexts(passedOver),
      ...reached,
      ...parts.flatMap(({ seen, source }) => restoreWarnings([seen], source.pointAt ?? pointAt)),
      ...parts.flatMap(({ seen }) => serverStop(seen.component)),
      ...apart(parts),
    ],
    ...(servers.length === 0 ? {} : { servers }),
    ...(frozen === undefined ? {} : { frozen: frozen.facts }),
    ageSeconds: Math.max(0, Math.round((Date.now() - Date.parse(pointAt)) / 1000)),
    whole,
  };
}

function wishOf({ backup = 'latest', together = false, paths, target, recoverTo }: Asked): Wish {
  const refuse = (what: string): never => {
    throw new HoldfastError('BadInput', `a whole system is restored in place, from the backups that fit: ${what}`);
  };
  if (paths !== undefined) refuse('leave out "paths"');
  if (target !== undefined) refuse('leave out "target"');
  if (recoverTo !== undefined) refuse('say the moment as "backup": "before:<time>" in place of "recoverTo"');
  const nowMs = Date.now();
  if (backup === 'latest') return { nowMs, together };
  const beforeMs = Date.parse(backup.replace(/^before:/, ''));
  if (!backup.startsWith('before:') || Number.isNaN(beforeMs))
    refuse('"backup" is `latest` or `before:<RFC 3339 time>`');
  return { nowMs, together, beforeMs };
}

function scopeOf(system: System, asked: Asked): Component[] {
  const names = listOf(asked.components);
  return names.length === 0 ? [...system.components] : names.map((name) => componentOf(system, name));
}

type Source = PartSource & { readonly pointAt?: string };
type Sources = ReadonlyMap<string, Source>;

interface Chosen {
  readonly asked: Asked;
  readonly choice: Choice;
  readonly stock: Stock;
  readonly wish: Wish;
}

/** What was chosen, or what an earlier plan has chosen. A cluster whose log goes further is recovered further. */
async function sourcesOf(
  context: HostContext,
  system: System,
  { asked, choice, stock, wish }: Chosen,
  signal: AbortSignal,
): Promise<{ sources: Sources; warnings: string[] }> {
  const pinned = asked.pinned?.map(({ name, backup, manifestKey, store, recoverTo, pointAt }) => {
    const source = { backup, manifestKey, store };
    return [
      name,
      { ...source, ...(recoverTo === undefined ? {} : { recoverTo }), ...(pointAt === undefined ? {} : { pointAt }) },
    ] as const;
  });
  if (pinned !== undefined) return { sources: new Map(pinned), warnings: [] };
  const warnings: string[] = [];
  const sources = new Map<string, Source>();
  for (const { name, candidate } of choice.parts) {
    const { backup, manifestKey, store, pointAt } = candidate;
    const own: Source = { backup, manifestKey, store, pointAt };
    const further = wish.together
      ? undefined
      : await furtherByLog(context, system, { name, own, asked, stock, wish }, signal);
    sources.set(name, further?.source ?? own);
    warnings.push(...(further?.warnings ?? []));
  }
  return { sources, warnings };
}

async function furtherByLog(
  context: HostContext,
  system: System,
  { name, own, asked, stock, wish }: { name: string; own: Source; asked: Asked; stock: Stock; wish: Wish },
  signal: AbortSignal,
): Promise<{ source?: Source; warnings: readonly string[] } | undefined> {
  const component = componentOf(system, name);
  if (component.kind !== 'postgres' || component.method !== 'base' || component.wal === undefined) return undefined;
  if (asked.fellBack?.passedOver.some((one) => one.component === name && one.log === true) === true) return undefined;
  const recoverTo = wish.beforeMs === undefined ? 'end' : `time:${new Date(wish.beforeMs).toISOString()}`;
  const filter = {
    ...(asked.store === undefined ? {} : { store: asked.store }),
    ...(asked.plan === undefined ? {} : { plan: asked.plan }),
  };
  try {
    const mayBegin = (from: string, key: string): boolean =>
      stock.candidates.some((one) => one.store === from && one.manifestKey === key && offers(one, name));
    const found = await findRecoveryPoint(
      context,
      system,
      { system: system.name, components: name, recoverTo, mayBegin, ...filter },
      signal,
    );
    const { entry, store, pointAt, warnings } = found;
    if (pointAt === undefined || Date.parse(pointAt) <= Date.parse(own.pointAt ?? '')) return undefined;
    const source = { backup: entry.body.id, manifestKey: entry.key, store, recoverTo: found.recoverTo, pointAt };
    return { source, warnings };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    return { warnings: [`${name}: its log does not lead further than its backup: ${error.message}`] };
  }
}

function nothingToRestore(system: System, choice: Choice, stock: Stock): HoldfastError {
  const whys = choice.missing.map(({ name, why }) => `${name}: ${why}`);
  const words = [...stock.silent, ...whys].join('; ');
  return new HoldfastError('BackupMissing', `nothing of ${system.name} can be restored: ${words}`);
}

function sourceOf(sources: Sources, name: string): Source {
  const source = sources.get(name);
  if (source === undefined) throw new HoldfastError('Internal', `${name} was chosen without a backup`);
  return source;
}

/** Without data of its critical parts, or without services where none are there, a system is not back. */
function isNeeded(system: System, component: Component, exists: boolean): boolean {
  return component.tier === 'critical' || (component.name === system.compose && !exists);
}

function wholePart(system: System, { source, seen }: Part, wish: Wish, problems: readonly string[]): WholePart {
  const { component, live } = seen;
  const [wanted] = wantedOf(system, [component]);
  const { pointAt, ...from } = source;
  const until = wish.beforeMs ?? wish.nowMs;
  const lost = pointAt === undefined ? undefined : Math.max(0, Math.round((until - Date.parse(pointAt)) / 1000));
  return {
    name: component.name,
    tier: component.tier,
    ...from,
    ...(pointAt === undefined ? {} : { pointAt }),
    ...(lost === undefined ? {} : { lostSeconds: lost }),
    ...(wanted?.rpoSeconds === undefined ? {} : { rpoSeconds: wanted.rpoSeconds }),
    needed: isNeeded(system, component, live.exists),
    problems,
  };
}

function pointsOf(parts: readonly Part[]): number[] {
  return parts.flatMap(({ source: { pointAt } }) => (pointAt === undefined ? [] : [Date.parse(pointAt)]));
}

function spreadOf(parts: readonly Part[]): number {
  const points = pointsOf(parts);
  return points.length === 0 ? 0 : Math.round((Math.max(...points) - Math.min(...points)) / 1000);
}

function oldestPoint(parts: readonly Part[]): string {
  return new Date(Math.min(...pointsOf(parts))).toISOString();
}

/** That most components come from; of equally used ones the first in the order of the restore. */
function mainSource(parts: readonly Part[]): PartSource {
  const uses = (key: string): number => parts.filter(({ source }) => source.manifestKey === key).length;
  const [first] = parts.toSorted((a, b) => uses(b.source.manifestKey) - uses(a.source.manifestKey));
  if (first === undefined) throw new HoldfastError('Internal', 'a plan of nothing');
  return first.source;
}

/** Ledgers and databases of different moments can name entries that the other does not have. */
function apart(parts: readonly Part[]): string[] {
  const state = parts.filter(
    ({ seen: { component } }) =>
      component.tier === 'critical' &&
      (component.kind === 'sqlite' || component.kind === 'postgres' || component.kind === 'volume'),
  );
  const spread = spreadOf(state);
  if (new Set(state.map(({ source }) => source.manifestKey)).size < 2 || spread === 0) return [];
  const names = state
    .map(({ seen, source }) => `${seen.component.name} of ${source.pointAt ?? 'a later moment'}`)
    .join(', ');
  return [
    `critical data of different moments, ${spread} s apart (${names}): compare them with an outside truth (\`reconcile\`), or take one backup for all with --together`,
  ];
}

async function frozenParts(
  system: System,
  stock: Stock,
  parts: readonly Part[],
  asked: Asked,
  run: Run,
): Promise<WholePlan['frozen']> {
  const found: WholePlan['frozen'][number][] = [];
  const keys = new Map(parts.map(({ source }) => [`${source.store} ${source.manifestKey}`, source]));
  for (const [key, source] of keys) {
    const own = parts.filter((part) => `${part.source.store} ${part.source.manifestKey}` === key);
    const components = own.map(({ seen }) => seen.component.name);
    const thaw = asked.thaw === undefined ? {} : { thaw: asked.thaw };
    const facts = await frozenOf(system, source.store, stock.bodyOf(source), { components, ...thaw }, run);
    const { backup, manifestKey, store } = source;
    if (facts !== undefined) found.push({ backup, manifestKey, store, components, facts });
  }
  return found;
}
