/** What a schema can't say: names that must exist, orders without cycles, times that must make sense. Pure. */
import { checkMonitor } from './monitor-checks.ts';
import { checkNotify } from './notify-checks.ts';
import { checkDrills } from './drill-checks.ts';
import { checkFailover } from './failover-checks.ts';
import { checkHousekeeping } from './housekeeping-checks.ts';
import { WATCHED_KINDS } from '../policy/watched.ts';
import { checkPostgres } from './postgres-checks.ts';
import { valueAt, type Problem, type ProblemPath } from './problems.ts';
import { reportUnknown, unknownName, type Report } from './report.ts';
import { checkRule } from './rule-checks.ts';
import { checkMaintenance, checkSchedule } from './schedule-checks.ts';
import { DEFAULTS, NAME_PATTERN, type SystemFile } from './schema.ts';
import { STORE_DEFAULTS } from './store-schema.ts';
import { checkSystemd } from './systemd-schema.ts';
import { checkCleanPoint } from './clean-point-checks.ts';
import { checkValidation } from './validation-checks.ts';

/** The names that a file declares, also those of entries that are left out because their shape is wrong. */
export interface DeclaredNames {
  readonly components: readonly string[];
  readonly plans: readonly string[];
  readonly stores: readonly string[];
  readonly channels: readonly string[];
  /** There is a section `escalation`, whatever its shape. */
  readonly escalates: boolean;
}

export function declaredNames(root: unknown): DeclaredNames {
  const names = (section: string): string[] => {
    const value = valueAt(root, [section]);
    return typeof value === 'object' && value !== null ? Object.keys(value) : [];
  };
  return {
    components: names('components'),
    plans: names('plans'),
    stores: names('stores'),
    channels: names('notify'),
    escalates: valueAt(root, ['escalation']) !== undefined,
  };
}

/** Every problem of entries whose shape is right. `keysOptional` is for files that `init` has yet to complete. */
export function crossCheck(file: SystemFile, names: DeclaredNames, options: { keysOptional: boolean }): Problem[] {
  const problems: Problem[] = [];
  const report: Report = (path, message, atKey = false) => {
    problems.push({ path, atKey, message });
  };
  checkNames(names, report);
  checkKeys(file, options.keysOptional, report);
  checkComponents(file, names, report);
  checkCycles(file, report);
  checkCompose(file, names, report);
  checkPlans(file, names, report);
  checkMaintenance(file, names, report);
  checkStores(file, report);
  checkHousekeeping(file, names, report);
  checkValidation(file, names, DEFAULTS.host, report);
  checkDrills(file, names, report);
  checkFailover(file, names, DEFAULTS.site, report);
  checkCleanPoint(file, names, report);
  checkRule(file, report);
  checkMonitor(file, report);
  checkNotify(file, names, report);
  return problems;
}

function checkNames(declared: DeclaredNames, report: Report): void {
  for (const section of ['components', 'plans', 'stores'] as const) {
    const names = declared[section];
    if (names.length === 0) report([section], `\`${section}\` is empty: name at least one`);
    for (const name of names) {
      if (!NAME_PATTERN.test(name)) {
        report([section, name], `\`${name}\`: write a name of a-z, 0-9 and -, starting with a letter`, true);
      }
    }
  }
}

function checkKeys(file: SystemFile, optional: boolean, report: Report): void {
  if (file.keys === undefined) {
    if (!optional) report(['keys'], '`keys` is missing: run `holdfast init <this file>`, which makes them');
    return;
  }
  const { recipients } = file.keys;
  if (new Set(recipients).size < 2) {
    report(['keys', 'recipients'], 'the recipients are all the same: operations and escrow must be two keys');
  }
}

function checkComponents(file: SystemFile, names: DeclaredNames, report: Report): void {
  const hosts = file.hosts ?? [DEFAULTS.host];
  for (const [name, component] of Object.entries(file.components)) {
    if (component.host !== undefined) {
      reportUnknown(['components', name, 'host'], 'host', component.host, hosts, report);
    }
    if (component.kind === 'postgres') checkDatabase(name, component, file, names, report);
    if (component.kind === 'systemd') checkSystemd(name, component, report);
    component.after?.forEach((other, index) => {
      const path = ['components', name, 'after', index];
      if (other === name) report(path, `\`${name}\` can't come after itself: remove it`);
      else reportUnknown(path, 'component', other, names.components, report);
    });
  }
}

function checkDatabase(
  name: string,
  component: Extract<SystemFile['components'][string], { kind: 'postgres' }>,
  file: SystemFile,
  names: DeclaredNames,
  report: Report,
): void {
  const hasProject = Object.values(file.components).some(({ kind }) => kind === 'compose');
  checkPostgres(['components', name], component, hasProject, report);
  const store = component.wal?.store;
  if (store !== undefined) reportUnknown(['components', name, 'wal', 'store'], 'store', store, names.stores, report);
}

function checkCycles(file: SystemFile, report: Report): void {
  const done = new Set<string>();
  const visit = (name: string, trail: readonly string[]): void => {
    if (done.has(name)) return;
    const component = file.components[name];
    for (const [index, other] of (component?.after ?? []).entries()) {
      if (other === name) continue;
      const start = [...trail, name].indexOf(other);
      if (start >= 0) {
        const circle = [...[...trail, name].slice(start), other].join(' → ');
        report(['components', name, 'after', index], `the order goes in a circle (${circle}): remove one of them`);
      } else visit(other, [...trail, name]);
    }
    done.add(name);
  };
  for (const name of Object.keys(file.components)) visit(name, []);
}

function checkCompose(file: SystemFile, declared: DeclaredNames, report: Report): void {
  const names = Object.keys(file.components).filter((name) => file.components[name]?.kind === 'compose');
  // An entry that was left out may be the compose component.
  const leftOut = declared.components.filter((name) => file.components[name] === undefined);
  if (file.compose !== undefined && ![...names, ...leftOut].includes(file.compose)) {
    report(['compose'], unknownName('compose component', file.compose, names));
  }
  if (file.compose === undefined && names.length > 1) {
    report(
      ['components'],
      `there are ${names.length} compose components: add \`compose: ${names[0] ?? ''}\` to say which holds the services`,
    );
  }
}

function checkPlans(file: SystemFile, names: DeclaredNames, report: Report): void {
  for (const [name, plan] of Object.entries(file.plans)) {
    const path = ['plans', name];
    checkList([...path, 'components'], 'component', plan.components, names.components, report);
    checkList([...path, 'stores'], 'store', plan.stores, names.stores, report);
    checkList([...path, 'keepIn'], 'store', Object.keys(plan.keepIn ?? {}), plan.stores, report);
    if (plan.verify === 'content' && file.keys !== undefined && file.keys.identity === undefined) {
      report([...path, 'verify'], '`content` needs `keys.identity` on the host: add it, or write `presence`');
    }
    if (plan.onChange === true) checkOnChange(file, name, report);
    if (plan.quiesce !== undefined) checkQuiesced(file, name, report);
    if (plan.schedule !== undefined) checkSchedule([...path, 'schedule'], plan.schedule, report);
  }
}

/** Entries that were left out because their shape is wrong may be what is watched. */
function checkOnChange(file: SystemFile, name: string, report: Report): void {
  const kinds = file.plans[name]?.components.map((component) => file.components[component]?.kind) ?? [];
  if (kinds.some((kind) => kind === undefined || WATCHED_KINDS.includes(kind))) return;
  const watched = WATCHED_KINDS.join(' and ');
  report(
    ['plans', name, 'onChange'],
    `only components of the kinds ${watched} are watched: add one, or write a schedule`,
  );
}

/** Who lists units in a plan that stops something may think that they are stopped. */
function checkQuiesced(file: SystemFile, name: string, report: Report): void {
  const { quiesce, components = [] } = file.plans[name] ?? {};
  const mode = typeof quiesce === 'string' ? quiesce : quiesce?.mode;
  if (mode === 'none') return;
  const found = components.map((component) => file.components[component]);
  // One that was left out because its shape is wrong may be what is held still.
  if (found.includes(undefined)) return;
  const members = found.filter((one) => one !== undefined);
  for (const host of new Set(members.map((one) => one.host))) {
    const here = members.filter((one) => one.host === host);
    const units = here.flatMap((one) => (one.kind === 'systemd' ? one.units : []));
    const holds = here.some(
      (one) =>
        one.kind === 'volume' || one.kind === 'compose' || (one.kind === 'sqlite' && (one.usedBy ?? []).length > 0),
    );
    if (units.length === 0 || holds) continue;
    report(
      ['plans', name, 'quiesce'],
      `\`${mode}\` holds containers still, and none uses what is captured; units (${units.join(', ')}) are never stopped for a ` +
        'backup: remove it, and capture by `sqlite` or `postgres` what must be at rest',
    );
  }
}

function checkStores(file: SystemFile, report: Report): void {
  const places = new Map<string, string>();
  for (const [name, store] of Object.entries(file.stores)) {
    if (store.kind === 's3' && (store.accessKeyId === undefined) !== (store.secretAccessKey === undefined)) {
      report(['stores', name], '`accessKeyId` and `secretAccessKey` belong together: add the missing one');
    }
    if (store.kind === 'azure' && store.accountKey !== undefined && store.sasToken !== undefined) {
      report(['stores', name, 'sasToken'], '`accountKey` and `sasToken` are two ways in: keep one of them');
    }
    const hosts = file.hosts ?? [DEFAULTS.host];
    if (store.maintainedBy !== undefined) {
      reportUnknown(['stores', name, 'maintainedBy'], 'host', store.maintainedBy, hosts, report);
    }
    const place = whereItLies(store, file.system);
    const other = places.get(place);
    if (other !== undefined) {
      const what = 'path' in store ? 'path' : 'prefix';
      const at = what in store ? [what] : [];
      report(['stores', name, ...at], `\`${other}\` lies there already: give each store a ${what} of its own`);
    }
    places.set(place, name);
  }
}

/** Two stores in one place would count as two copies, and what one prunes the other has lost. */
function whereItLies(store: SystemFile['stores'][string], system: string): string {
  const prefix = 'prefix' in store && store.prefix !== undefined ? store.prefix : system;
  const endpoint = 'endpoint' in store ? (store.endpoint ?? '').replace(/\/+$/, '') : '';
  const within = prefix.replace(/\/+$/, '');
  switch (store.kind) {
    case 'directory':
      return `${store.kind} ${store.path.replace(/\/+$/, '')}`;
    case 'sftp':
      return `${store.kind} ${store.host}:${store.port ?? STORE_DEFAULTS.sftpPort} ${store.path.replace(/\/+$/, '')}`;
    case 's3':
    case 'gcs':
      return `${store.kind} ${endpoint} ${store.bucket}/${within}`;
    case 'azure':
      return `${store.kind} ${endpoint} ${store.account}/${store.container}/${within}`;
  }
}

function checkList(
  path: ProblemPath,
  what: string,
  names: readonly string[],
  known: readonly string[],
  report: Report,
): void {
  names.forEach((name, index) => {
    if (names.indexOf(name) !== index) report([...path, index], `\`${name}\` is named twice: remove one`);
    else reportUnknown([...path, index], what, name, known, report);
  });
}
