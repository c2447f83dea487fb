/** What a system file declares, as tables: parts, plans, objectives, stores, people. No secret, and nothing that may hold one. */
import type { Component, Plan, StoreConfig, System, Tier } from '../../system/types.ts';
import { formatSeconds } from '../format.ts';
import { paragraphs, table } from './markdown.ts';

export const TIERS: readonly Tier[] = ['critical', 'important', 'reference'];
const NOT_DECLARED = 'not declared';

/** Where the component's live state is. */
export function placeOf(component: Component): string {
  switch (component.kind) {
    case 'volume':
      return `Docker volume \`${component.volume}\``;
    case 'files':
    case 'sqlite':
      return `\`${component.path}\``;
    case 'compose':
      return `project \`${component.project}\` in \`${component.directory}\``;
    case 'systemd':
      return `units ${component.units.map((one) => `\`${one}\``).join(', ')}`;
    case 'postgres':
      return component.method === 'base'
        ? `cluster${component.dataDirectory === undefined ? '' : ` in \`${component.dataDirectory}\``}`
        : `databases ${component.databases.length === 0 ? '(all)' : component.databases.map((one) => `\`${one}\``).join(', ')}`;
  }
}

/** In the order in which they are brought back: critical first. */
export function componentsByTier({ components }: System): Component[] {
  return TIERS.flatMap((tier) => components.filter((component) => component.tier === tier));
}

export function componentsText(system: System): string {
  const rows = componentsByTier(system).map((component) => [
    component.tier,
    `\`${component.name}\``,
    component.kind,
    placeOf(component),
    component.host,
    component.after.join(', '),
    span(rpoOf(system, component)),
    span(rtoOf(system, component)),
  ]);
  return table(['tier', 'component', 'kind', 'where', 'host', 'after', 'RPO', 'RTO'], rows);
}

/** The strictest of the plans that capture it. */
function rpoOf({ plans }: System, { name }: Component): number | undefined {
  const promised = plans.filter((plan) => plan.components.includes(name)).flatMap(({ rpoSeconds }) => rpoSeconds ?? []);
  return promised.length === 0 ? undefined : Math.min(...promised);
}

function rtoOf({ objectives }: System, { name, tier }: Component): number | undefined {
  return objectives.components[name] ?? objectives.tiers[tier];
}

function span(seconds: number | undefined): string {
  return seconds === undefined ? NOT_DECLARED : formatSeconds(seconds);
}

export function objectivesText({ objectives }: System): string {
  const { rtoSeconds } = objectives;
  return rtoSeconds === undefined
    ? 'How soon the whole system has to be back is **not declared** (`objectives.rto`).'
    : `The whole system has to be back within **${formatSeconds(rtoSeconds)}**.`;
}

export function plansText({ plans }: System): string {
  const rows = plans.map((plan) => [
    `\`${plan.name}\``,
    plan.components.join(', '),
    scheduleText(plan),
    plan.stores.join(', '),
    span(plan.rpoSeconds),
    plan.verify,
  ]);
  return table(['plan', 'captures', 'when', 'into', 'RPO', 'read back'], rows);
}

function scheduleText({ schedule, onChange }: Plan): string {
  const change = onChange ? ['on change'] : [];
  if (schedule === undefined) return [...change, ...(onChange ? [] : ['by hand'])].join(', ');
  const { everySeconds, cron, timeZone } = schedule;
  const times = everySeconds === undefined ? `\`${cron}\` ${timeZone}` : `every ${formatSeconds(everySeconds)}`;
  return [times, ...change].join(', ');
}

export function storesText({ stores, site }: System): string {
  const rows = stores.map((store) => [
    `\`${store.name}\``,
    `\`${addressOf(store)}\``,
    store.place === site ? `${store.place} (the site itself)` : store.place,
    store.medium,
    immutableText(store),
    store.maintainedBy,
  ]);
  return table(['store', 'address', 'place', 'medium', 'locked', 'kept by'], rows);
}

function immutableText(store: StoreConfig): string {
  if (!('immutable' in store)) return 'no';
  return `${store.immutable.mode}, ${formatSeconds(store.immutable.forSeconds)}`;
}

export function isLocked(store: StoreConfig): boolean {
  return 'immutable' in store;
}

/** As `--from-store` takes it, without credentials. */
export function addressOf(store: StoreConfig): string {
  switch (store.kind) {
    case 'directory':
      return store.path;
    case 's3': {
      const { bucket, prefix, region, endpoint, pathStyle } = store;
      const server = endpoint === undefined ? '' : `&endpoint=${endpoint}&pathStyle=${pathStyle}`;
      return `s3://${bucket}/${prefix}?region=${region}${server}`;
    }
    case 'gcs':
      return `gs://${store.bucket}/${store.prefix}${endpointOf(store)}`;
    case 'azure':
      return `azure://${store.account}/${store.container}/${store.prefix}${endpointOf(store)}`;
    case 'sftp':
      return `sftp://${store.user}@${store.host}:${store.port}${store.path}?hostKey=${store.hostKey}`;
  }
}

function endpointOf({ endpoint }: { readonly endpoint?: string }): string {
  return endpoint === undefined ? '' : `?endpoint=${endpoint}`;
}

export function peopleText({ escalation, notify }: System): string {
  const { levels, countFrom } = escalation.base;
  if (levels.length === 0) return '**No escalation is declared** (`escalation.levels`): nobody is told by Holdfast.';
  const channels = new Map(notify.map((channel) => [channel.name, channel]));
  const rows = levels.map(({ name, afterSeconds, channels: told, contact, action }) => [
    name,
    afterSeconds === 0 ? 'at once' : `after ${formatSeconds(afterSeconds)}`,
    told.map((one) => `${one} (${channelText(channels.get(one))})`).join(', '),
    contact ?? NOT_DECLARED,
    action ?? '',
  ]);
  const since = countFrom === 'outage' ? 'since the trouble began' : 'since it was noticed';
  return paragraphs(table(['level', 'when', 'told by', 'contact', 'does'], rows), `Times count ${since}.`);
}

function channelText(channel: System['notify'][number] | undefined): string {
  return channel?.kind === 'email' ? `e-mail to ${channel.to.join(', ')}` : (channel?.kind ?? 'unknown');
}

/** What a restore would need and the file does not say. */
export function missingText(system: System): string[] {
  const { objectives, escalation, checks, drills, stores, site, rule, maintenance } = system;
  const contacts = escalation.base.levels.filter(({ contact }) => contact === undefined).map(({ name }) => name);
  const facts: readonly (readonly [boolean, string])[] = [
    [objectives.rtoSeconds === undefined, 'no objective for the whole system (`objectives.rto`)'],
    [escalation.base.levels.length === 0, 'no escalation (`escalation.levels`)'],
    [contacts.length > 0, `no contact of ${contacts.join(', ')} (\`contact\` of the level)`],
    [
      checks.length === 0,
      'no checks of the running system (`checks`): whether it works after a restore is for people to see',
    ],
    [drills.length === 0, 'no drills (`drills`): nobody knows how long a restore takes'],
    [stores.every(({ place }) => place === site), 'no store at another place: with the site everything is lost'],
    [
      !stores.some(isLocked),
      'no store that locks what it holds (`immutable`): whoever may delete there may delete all',
    ],
    [rule === undefined, 'no rule of copies (`rule`)'],
    [maintenance.verify === undefined, 'stores are not read back by themselves (`maintenance.verify`)'],
  ];
  return facts.flatMap(([lacking, what]) => (lacking ? [what] : []));
}
