/** From the file as written to the system as used: defaults filled in, durations in seconds. Pure. */
import { buildCleanPoint } from './clean-point-schema.ts';
import { buildDatabaseChecks } from './database-checks.ts';
import { durationSeconds } from './durations.ts';
import { buildLimits, buildMonitor } from './monitor-build.ts';
import { buildChannels, buildEscalation } from './notify-build.ts';
import { buildPostgres } from './postgres-build.ts';
import { buildGit } from './git-schema.ts';
import { buildDrills } from './drill-schema.ts';
import { buildFailover } from './failover-schema.ts';
import { heldElsewhere } from './held-elsewhere.ts';
import { buildHousekeeping } from './housekeeping-schema.ts';
import { present } from './present.ts';
import { DEFAULTS, type SystemFile } from './schema.ts';
import { buildSystemd } from './systemd-schema.ts';
import { buildMaintenance, buildSchedule } from './schedule-build.ts';
import { buildKeep, buildRule, buildStore } from './store-build.ts';
import { buildChecks, buildObjectives, buildReconcile } from './validation-schema.ts';
import type { Component, ComponentCheck, Plan, Quiesce, System } from './types.ts';

type FileOf<Section extends 'components' | 'plans' | 'stores'> = SystemFile[Section][string];
type VolumeFile = Extract<FileOf<'components'>, { kind: 'volume' }>;

/** The file must have passed the schema and the cross checks, and have keys. */
export function buildSystem(
  file: SystemFile & { keys: NonNullable<SystemFile['keys']> },
  source: { text: string; path: string },
): System {
  const hosts = file.hosts ?? [DEFAULTS.host];
  const around = { system: file.system, site: file.site ?? DEFAULTS.site, hosts };
  const compose = file.compose ?? onlyCompose(file);
  const stack = compose === undefined ? undefined : file.components[compose];
  const project = stack?.kind === 'compose' ? stack.project : undefined;
  const notify = buildChannels(file.notify);
  const alone = Object.entries(file.components).map(([name, component]) =>
    buildComponent(name, component, hosts, project),
  );
  const components = alone.map((component) => besideOthers(component, alone, file));
  const services = components.find((one) => one.name === compose)?.host ?? hosts[0] ?? DEFAULTS.host;
  return {
    name: file.system,
    site: around.site,
    hosts,
    components,
    plans: Object.entries(file.plans).map(([name, plan]) => buildPlan(name, plan)),
    stores: Object.entries(file.stores).map(([name, store]) => buildStore(name, store, around)),
    housekeeping: buildHousekeeping(file.housekeeping),
    checks: buildChecks(file.checks, { components, services }),
    reconcile: buildReconcile(file.reconcile, { components, services }),
    objectives: buildObjectives(file.objectives),
    drills: buildDrills(file.drills),
    ...(file.failover === undefined ? {} : { failover: buildFailover(file.failover, around.site, smallestRpo(file)) }),
    cleanPoint: buildCleanPoint(file.cleanPoint),
    maintenance: buildMaintenance(file.maintenance),
    keys: present(file.keys),
    notify,
    escalation: buildEscalation(file.escalation, notify),
    approval: {
      limitSeconds: durationSeconds(file.approval?.limit ?? DEFAULTS.approvalLimit),
      fourEyes: file.approval?.fourEyes === true,
    },
    keepAsideSeconds: durationSeconds(file.keepAside ?? DEFAULTS.keepAside),
    ...(file.rule === undefined ? {} : { rule: buildRule(file.rule) }),
    ...(file.monitor === undefined ? {} : { monitor: buildMonitor(file.monitor, hosts) }),
    ...(file.prices === undefined ? {} : { prices: file.prices }),
    ...(compose === undefined ? {} : { compose }),
    sourceText: source.text,
    sourcePath: source.path,
  };
}

function smallestRpo({ plans }: SystemFile): number | undefined {
  const all = Object.values(plans).flatMap(({ rpo }) => (rpo === undefined ? [] : [durationSeconds(rpo)]));
  return all.length === 0 ? undefined : Math.min(...all);
}

function besideOthers(component: Component, all: readonly Component[], { components }: SystemFile): Component {
  const written = components[component.name];
  if (component.kind !== 'files' || written?.kind !== 'files' || written.exceptComponents !== true) return component;
  return { ...component, exclude: [...component.exclude, ...heldElsewhere(component, all)] };
}

function onlyCompose(file: SystemFile): string | undefined {
  const names = Object.keys(file.components).filter((name) => file.components[name]?.kind === 'compose');
  return names.length === 1 ? names[0] : undefined;
}

function buildComponent(
  name: string,
  file: FileOf<'components'>,
  hosts: readonly string[],
  project: string | undefined,
): Component {
  const base = {
    name,
    tier: file.tier ?? DEFAULTS.tier,
    host: file.host ?? hosts[0] ?? DEFAULTS.host,
    after: file.after ?? [],
  };
  switch (file.kind) {
    case 'volume':
      return {
        ...base,
        kind: 'volume',
        volume: file.volume,
        quiesce: buildQuiesce(file.quiesce ?? DEFAULTS.quiesceMode),
        exclude: file.exclude ?? [],
        ...(file.check === undefined ? {} : { check: buildCheck(file.check) }),
      };
    case 'files':
      return {
        ...base,
        kind: 'files',
        path: file.path,
        include: file.include ?? [],
        exclude: file.exclude ?? [],
        minimumAgeSeconds: file.minimumAge === undefined ? 0 : durationSeconds(file.minimumAge),
      };
    case 'sqlite':
      return {
        ...base,
        kind: 'sqlite',
        path: file.path,
        requiredTables: [...new Set([...(file.requiredTables ?? []), ...(file.checks?.requiredTables ?? [])])],
        ...(file.checks === undefined ? {} : { checks: buildDatabaseChecks(file.checks) }),
        usedBy: file.usedBy ?? [],
      };
    case 'compose':
      return {
        ...base,
        kind: 'compose',
        project: file.project,
        directory: file.directory,
        files: file.files ?? ['compose.yaml'],
        healthTimeoutSeconds: durationSeconds(file.healthTimeout ?? DEFAULTS.healthTimeout),
        saveImages: file.saveImages ?? false,
      };
    case 'postgres':
      return { ...base, ...buildPostgres(name, file, project) };
    case 'systemd':
      return { ...base, ...buildSystemd(file) };
  }
}

function buildQuiesce(quiesce: NonNullable<VolumeFile['quiesce']>): Quiesce {
  const { mode, budget } = typeof quiesce === 'string' ? { mode: quiesce, budget: undefined } : quiesce;
  return { mode, budgetSeconds: durationSeconds(budget ?? DEFAULTS.quiesceBudget) };
}

function buildCheck(check: NonNullable<VolumeFile['check']>): ComponentCheck {
  if (check.kind !== 'command') return present(check);
  return {
    kind: 'command',
    command: check.command,
    timeoutSeconds: durationSeconds(check.timeout ?? DEFAULTS.checkTimeout),
  };
}

function buildPlan(name: string, plan: FileOf<'plans'>): Plan {
  return {
    name,
    components: plan.components,
    stores: plan.stores,
    onChange: plan.onChange ?? false,
    ...(plan.keep === undefined ? {} : { keep: buildKeep(plan.keep) }),
    keepIn: Object.fromEntries(Object.entries(plan.keepIn ?? {}).map(([store, keep]) => [store, buildKeep(keep)])),
    verify: plan.verify ?? 'presence',
    ...(plan.quiesce === undefined ? {} : { quiesce: buildQuiesce(plan.quiesce) }),
    ...(plan.schedule === undefined ? {} : { schedule: buildSchedule(plan.schedule) }),
    ...(plan.git === undefined ? {} : { git: buildGit(plan.git) }),
    ...(plan.rpo === undefined ? {} : { rpoSeconds: durationSeconds(plan.rpo) }),
    ...(plan.limits === undefined ? {} : { limits: buildLimits(plan.limits) }),
  };
}
