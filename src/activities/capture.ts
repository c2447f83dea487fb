/** The frame of a capture: begin it in the vault, store what is stable, commit it, or close it without a manifest. */
import { HoldfastError } from '../failures.ts';
import { requireMayCapture } from '../sites/standing.ts';
import { kindOf } from '../sources/kinds/index.ts';
import type { CaptureTicket, StoreCounts, WriterVault } from '../vault/types.ts';
import { tellFile } from './audit.ts';
import { readsBack } from './check-stored.ts';
import { componentOf, type HostContext } from './host-context.ts';
import { recordingSink } from './sink.ts';
import type { Run } from './shell.ts';
import type { HostActivities } from './types.ts';

type Input<A extends keyof HostActivities> = Parameters<HostActivities[A]>[0];
type Output<A extends keyof HostActivities> = Awaited<ReturnType<HostActivities[A]>>;

export async function beginCapture(
  context: HostContext,
  input: Input<'beginCapture'>,
  run: Run,
): Promise<CaptureTicket> {
  const { plan, store, captureId, startedAtMs } = input;
  const system = await context.system(input.system);
  const { generation, warning } = await requireMayCapture(system, run.signal);
  await tellFile(context, system, run);
  const ticket = await context.withWriter(system, store, (vault) => vault.begin({ captureId, plan, startedAtMs }));
  if (generation === 0) return ticket;
  return { ...ticket, generation, ...(warning === undefined ? {} : { warnings: [warning] }) };
}

/** Only for speed: what this stores is found by the capture inside the freeze, and nothing refers to it before. */
export async function hotPass(context: HostContext, input: Input<'hotPass'>, run: Run): Promise<void> {
  const system = await context.system(input.system);
  await context.withWriter(system, input.store, async (vault) => {
    for (const name of input.group.components) {
      const component = componentOf(system, name);
      const kind = kindOf(component.kind);
      if (kind.hotPass === undefined) continue;
      const sink = await openSink(vault, input.ticket, name, run, `hot pass: ${name}`, readsBack(system, component));
      try {
        await kind.hotPass(component, sink, context.kindContext(system, run));
      } finally {
        await sink.close();
      }
    }
  });
}

export async function openSink(
  vault: WriterVault,
  ticket: CaptureTicket,
  component: string,
  run: Pick<Run, 'signal' | 'report'>,
  phase: string,
  readBack: boolean,
): Promise<ReturnType<typeof recordingSink>> {
  const session = await vault.session(ticket, component, {
    signal: run.signal,
    readBack,
    onProgress: ({ bytesDone, filesDone }) => run.report({ phase, bytesDone, filesDone }),
  });
  return recordingSink(session);
}

export async function commitCapture(
  context: HostContext,
  input: Input<'commitCapture'>,
): Promise<Output<'commitCapture'>> {
  const { store, ticket, purpose, tag, components, freezes } = input;
  const system = await context.system(input.system);
  if (components.length === 0) throw new HoldfastError('SourceEmpty', 'the capture holds no component');
  // The oldest of them: every component is at least as new as the recovery point says.
  const pointAt = components.map(({ capturedAt }) => capturedAt).reduce((a, b) => (a < b ? a : b));
  const committed = await context.withWriter(system, store, (vault) =>
    vault.commit({
      ticket,
      system: system.name,
      site: system.site,
      purpose,
      ...(tag === undefined ? {} : { tag }),
      pointAt,
      generation: ticket.generation ?? 0,
      components,
      systemFileText: system.sourceText,
      freezes,
    }),
  );
  const { manifestKey, sha256, body } = committed;
  const warnings = [...(ticket.warnings ?? []), ...committed.warnings];
  return { manifestKey, sha256, pointAt: body.pointAt, ...(warnings.length === 0 ? {} : { warnings }) };
}

export async function abandonCapture(context: HostContext, input: Input<'abandonCapture'>): Promise<void> {
  const system = await context.system(input.system);
  await context.withWriter(system, input.store, (vault) => vault.abandon(input.ticket));
}

export const NO_COUNTS: StoreCounts = {
  chunksNew: 0,
  chunksReused: 0,
  readBytes: 0,
  storedBytes: 0,
  filesSeen: 0,
  changed: [],
  changedCount: 0,
};

const CHANGED_TOLD = 20;

export function addCounts(a: StoreCounts, b: StoreCounts): StoreCounts {
  return {
    chunksNew: a.chunksNew + b.chunksNew,
    chunksReused: a.chunksReused + b.chunksReused,
    readBytes: a.readBytes + b.readBytes,
    storedBytes: a.storedBytes + b.storedBytes,
    filesSeen: a.filesSeen + b.filesSeen,
    changed: [...a.changed, ...b.changed].slice(0, CHANGED_TOLD),
    changedCount: a.changedCount + b.changedCount,
  };
}
