/**
 * systemd units: their files, drop-ins and enablement as a tree, and beside it what systemd said of them. They are stopped
 * and started by who restores; systemd reads them again here, when they have changed places.
 */
import { chown, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../failures.ts';
import type { ArtifactReader } from '../../part.ts';
import { isAbsent, judgeUnit, type UnitSeen } from '../../policy/unit-state.ts';
import { callerOf, managerWords } from '../../systemd/account.ts';
import { ifAnswers, unitManager } from '../../systemd/manager.ts';
import { GUARD_DROP_IN, patternsOf } from '../../systemd/unit-files.ts';
import type { FilesComponent, SystemdComponent } from '../../system/types.ts';
import { Replacement } from '../replacement.ts';
import type { Beside, Captured, CheckReport, ComponentKind, KindContext, LiveState } from './component.ts';
import { filesKind, storeTree } from './files.ts';
import { jsonArtifact, readJsonArtifact } from './json-artifact.ts';
import { artifactNamed } from './volume-facts.ts';

const UNITS = 'units.json';

const unitsSchema = z.object({
  format: z.literal(1),
  units: z.array(
    z.object({
      name: z.string(),
      names: z.array(z.string()),
      active: z.string(),
      enablement: z.string(),
      file: z.string(),
      /** Its file lies in the tree: it is no package's. */
      stored: z.boolean(),
    }),
  ),
});

/** What systemd said of the units when they were captured. */
export type CapturedUnits = z.output<typeof unitsSchema>;

export const systemdKind: ComponentKind<SystemdComponent> = {
  kind: 'systemd',

  async capture(component, sink, context): Promise<Captured> {
    const manager = unitManager(component);
    const asked = manager.look(component.units, context.signal);
    // To be safe only: the files are worth having without what systemd says of them.
    const seen = context.raw === true ? ((await ifAnswers(asked)) ?? []) : await asked;
    const missing = seen.filter((unit) => isAbsent(unit) && context.raw !== true);
    if (missing.length > 0) {
      const names = missing.map(({ name }) => name).join(', ');
      throw new HoldfastError('SourceMissing', `${managerWords(component)} knows no ${names}`, {
        hint: 'Correct the units in the system file; `systemctl list-unit-files` shows those that there are.',
      });
    }
    const directory = await manager.directory(context.signal);
    const units = seen.map((unit) => capturedOf(unit, directory));
    const { report } = await storeTree(asFiles(component, directory, units), sink, context);
    await sink.store(jsonArtifact(UNITS, { format: 1, units } satisfies CapturedUnits));
    const foreign = units.filter(({ stored, file }) => !stored && file !== '');
    return {
      facts: {
        units: units.length,
        files: report.files,
        active: units.filter(({ active }) => active === 'active').length,
      },
      warnings: [
        ...report.warnings,
        ...foreign.map(
          ({ name, file }) => `${name}: its file ${file} is not stored: it belongs to a package or is made`,
        ),
      ],
    };
  },

  async inspect(component, context): Promise<LiveState> {
    const manager = unitManager(component);
    const seen = await ifAnswers(manager.look(component.units, context.signal));
    if (seen === undefined) {
      const who = managerWords(component);
      const problem = `${who} does not answer on this host: unit files are put in place, and nothing is stopped, reloaded or started`;
      return { exists: false, usedBy: [], problems: [problem] };
    }
    const problems = seen.flatMap((unit) => {
      const verdict = judgeUnit(unit, Date.now());
      return verdict.kind === 'broken' ? [`${unit.name} ${verdict.what}`] : [];
    });
    return { exists: !seen.every(isAbsent), usedBy: [], problems };
  },

  async restoreBeside(component, artifacts, target, restoreId, context): Promise<Beside> {
    const { units } = await readUnits(component, artifacts, context);
    const directory = await unitManager(component).directory(context.signal);
    if (target.elsewhere === undefined) await makeParents(component, directory);
    const files = asFiles(component, directory, units);
    const beside = await filesKind.restoreBeside(files, artifacts, target, restoreId, context);
    const replacement = replacementOf(component, restoreId, context);
    const record = await replacement.known();
    await replacement.update({ ...record, expected: { ...(record.expected as object), units } });
    return beside;
  },

  async checkBeside(component, beside, context): Promise<CheckReport> {
    return filesKind.checkBeside(await filesOf(component, beside, context), beside, context);
  },

  async swapIn(component, beside, context) {
    await filesKind.swapIn(await filesOf(component, beside, context), beside, context);
    const record = await replacementOf(component, beside.restoreId, context).known();
    if (record.elsewhere !== null) return;
    const manager = unitManager(component);
    const units = (record.expected as { units: CapturedUnits['units'] }).units;
    const names = units.map(({ name }) => name);
    const seen = await ifAnswers(manager.reload(context.signal).then(() => manager.look(names, context.signal)));
    if (seen !== undefined) mustBeAsCaptured(units, seen);
  },

  async swapBack(component, beside, context) {
    await filesKind.swapBack(await filesOf(component, beside, context), beside, context);
    await ifAnswers(unitManager(component).reload(context.signal));
  },

  async reopen(component, beside, context) {
    await filesKind.reopen?.(await filesOf(component, beside, context), beside, context);
  },

  async commit(component, beside, options, context) {
    return filesKind.commit(await filesOf(component, beside, context), beside, options, context);
  },

  async discard(component, beside, context) {
    await filesKind.discard(await filesOf(component, beside, context), beside, context);
  },
};

/** What a restore that is under way brings of a component's units; undefined when it brings none, or elsewhere. */
export async function unitsBrought(
  component: Pick<SystemdComponent, 'name'>,
  restoreId: string,
  context: Pick<KindContext, 'stateDirectory'>,
): Promise<CapturedUnits['units'] | undefined> {
  const record = await replacementOf(component, restoreId, context).record();
  if (record === undefined || record.elsewhere !== null) return undefined;
  return (record.expected as { units?: CapturedUnits['units'] } | null)?.units;
}

function replacementOf(
  { name }: Pick<SystemdComponent, 'name'>,
  restoreId: string,
  { stateDirectory }: Pick<KindContext, 'stateDirectory'>,
): Replacement {
  return new Replacement(stateDirectory, restoreId, name);
}

function capturedOf(unit: UnitSeen, directory: string): CapturedUnits['units'][number] {
  const { name, names, active, enablement, file } = unit;
  return { name, names: [...names], active, enablement, file, stored: file.startsWith(`${directory}/`) };
}

async function readUnits(
  component: SystemdComponent,
  artifacts: readonly ArtifactReader[],
  context: KindContext,
): Promise<CapturedUnits> {
  const read = unitsSchema.safeParse(await readJsonArtifact(artifactNamed(artifacts, UNITS), context.signal));
  if (read.success) return read.data;
  throw new HoldfastError('ArchiveBroken', `${UNITS} of ${component.name} is not what Holdfast writes`);
}

/** What of the directory is the component's: by the names of its units, also those that they had when captured. */
function asFiles(
  { name, tier, host, after, units }: SystemdComponent,
  directory: string,
  captured: CapturedUnits['units'],
): FilesComponent {
  const names = [...units, ...captured.flatMap((unit) => unit.names)];
  const include = patternsOf(names);
  const exclude = [`/*.d/${GUARD_DROP_IN}`];
  return { kind: 'files', name, tier, host, after, path: directory, include, exclude, minimumAgeSeconds: 0 };
}

async function filesOf(
  component: SystemdComponent,
  { restoreId }: Pick<Beside, 'restoreId'>,
  context: KindContext,
): Promise<FilesComponent> {
  const record = await replacementOf(component, restoreId, context).record();
  const brought = (record?.expected as { units?: CapturedUnits['units'] } | null | undefined)?.units ?? [];
  return asFiles(component, record?.live ?? '/', brought);
}

/** Enabled or not is a matter of links that the tree holds; that systemd sees them so is the proof of it. */
function mustBeAsCaptured(units: CapturedUnits['units'], seen: readonly UnitSeen[]): void {
  const wrong = units.flatMap((unit) => {
    const now = seen.find(({ names }) => names.includes(unit.name));
    if (now === undefined || !unit.stored) return [];
    if (now.load === 'bad-setting' || now.load === 'error') return [`${unit.name} can't be loaded (${now.load})`];
    const isTold = ['enabled', 'disabled'].includes(unit.enablement);
    return isTold && now.enablement !== unit.enablement
      ? [`${unit.name} was ${unit.enablement}, is ${now.enablement}`]
      : [];
  });
  if (wrong.length > 0)
    throw new HoldfastError('CheckFailed', `systemd does not take the units so: ${wrong.join('; ')}`);
}

/** Directories of an account's that were lost belong to that account. */
async function makeParents(component: SystemdComponent, directory: string): Promise<void> {
  const { uid, gid } = await callerOf(component);
  if (uid === undefined || gid === undefined) return;
  const missing: string[] = [];
  for (let at = dirname(directory); at !== dirname(at); at = dirname(at)) {
    if ((await stat(at).catch(() => undefined)) !== undefined) break;
    missing.unshift(at);
  }
  for (const path of missing) {
    await mkdir(path, { mode: 0o755 });
    await chown(path, uid, gid);
  }
}
