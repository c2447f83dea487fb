/** Section `drills` against the others: names that must exist, times that go together, a key to read with. Pure. */
import type { DrillsFile } from './drill-schema.ts';
import { reportUnknown, type Report } from './report.ts';
import { checkSchedule } from './schedule-checks.ts';

interface OtherSections {
  readonly drills?: DrillsFile | undefined;
  readonly components: Readonly<Record<string, { readonly kind: string }>>;
  readonly plans: Readonly<Record<string, { readonly components: readonly string[] }>>;
  readonly notify?: Readonly<Record<string, { readonly on?: readonly string[] | undefined }>> | undefined;
  readonly keys?: { readonly identity?: unknown } | undefined;
}

/** A drill's name becomes part of ids of runs and of the engine's schedules. */
const NAME = /^[a-z][a-z0-9-]*$/;

export function checkDrills(
  file: OtherSections,
  names: { readonly components: readonly string[]; readonly plans: readonly string[] },
  report: Report,
): void {
  for (const [name, one] of Object.entries(file.drills ?? {})) {
    const path = ['drills', name];
    if (!NAME.test(name)) report(path, `\`${name}\`: write a name of a-z, 0-9 and -, starting with a letter`, true);
    if (one.schedule !== undefined) checkSchedule([...path, 'schedule'], one.schedule, report);
    if (one.plan !== undefined) reportUnknown([...path, 'plan'], 'plan', one.plan, names.plans, report);
    (one.components ?? []).forEach((component, index) => {
      reportUnknown([...path, 'components', index], 'component', component, names.components, report);
      const plan = one.plan === undefined ? undefined : file.plans[one.plan];
      if (plan !== undefined && names.components.includes(component) && !plan.components.includes(component)) {
        report([...path, 'components', index], `plan \`${one.plan ?? ''}\` does not capture \`${component}\``);
      }
    });
    if (one.freshBackup === true && one.olderThan !== undefined) {
      report([...path, 'olderThan'], 'a fresh backup is not old: remove `freshBackup` or `olderThan`');
    }
    const hasStack = Object.values(file.components).some(({ kind }) => kind === 'compose');
    if (one.startStack === true && !hasStack) {
      report([...path, 'startStack'], 'there is no component of the kind `compose` that could be started: remove it');
    }
    const told = Object.values(file.notify ?? {}).some(({ on = [] }) => on.includes('drill announced'));
    if (one.tellBefore !== undefined && !told) {
      report([...path, 'tellBefore'], 'nobody would be told: add `on: [drill announced]` to a channel of `notify`');
    }
    if (file.keys !== undefined && file.keys.identity === undefined) {
      report(path, 'a drill reads backups: add `keys.identity` on the host, or remove this');
    }
  }
}
