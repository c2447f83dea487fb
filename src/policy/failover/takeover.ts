/** What the new generation says of its data, what is lost, and how long it all took. Pure. */
import type { MeasuredFailover } from '../../workflows/failover-contract.ts';
import type { WholePart } from '../../workflows/whole-contract.ts';
import { isOfCopy, type PassedOver } from '../fall-back.ts';
import type { CopyHere, FailoverGo } from './decide.ts';
import type { Origin } from './lineage.ts';
import { criticalPointMs } from './readiness.ts';

/**
 * Of the generation whose backups are restored, up to the newest recovery point among them: each of the others is older, and
 * would be restored again rather than what came after it.
 */
export function originOf(
  parts: readonly Pick<WholePart, 'backup' | 'pointAt'>[],
  copies: readonly CopyHere[],
  go: Pick<FailoverGo, 'copy'>,
): Origin {
  const found = parts.flatMap(({ backup, pointAt }) => {
    const copy = copies.find((one) => one.backup === backup);
    return copy === undefined
      ? []
      : [{ generation: copy.generation, pointAtMs: pointAt === undefined ? copy.pointAtMs : Date.parse(pointAt) }];
  });
  const all = found.length === 0 ? [go.copy] : found;
  const newest = Math.max(...all.map(({ generation }) => generation));
  const points = all.filter(({ generation }) => generation === newest).map(({ pointAtMs }) => pointAtMs);
  // Of before there were sites: of the first generation nothing is so old, and those after it are no part of the history.
  return { generation: newest === 0 ? 1 : newest, pointAtMs: Math.max(...points) };
}

/** The same copies; those that were found bad since say why. */
export function withoutBad(copies: readonly CopyHere[], passedOver: readonly PassedOver[]): CopyHere[] {
  return copies.map((copy) => {
    const bad = passedOver.find((part) => isOfCopy(part, copy));
    return bad === undefined ? copy : { ...copy, unusable: bad.why };
  });
}

/** From the oldest recovery point of what the system can't be without; undefined where no part says its point. */
export function lostSeconds(parts: readonly Pick<WholePart, 'tier' | 'pointAt'>[], nowMs: number): number | undefined {
  const pointMs = criticalPointMs(parts);
  return pointMs === undefined ? undefined : Math.max(0, Math.round((nowMs - pointMs) / 1000));
}

/** By the names of the workflow's steps. */
export const WAITING_STEPS = {
  approval: 'approval',
  handover: 'the other site stops',
  fence: 'fence the site before',
  names: 'lead the names here',
} as const;

export function measured(phases: readonly { readonly name: string; readonly ms: number }[]): MeasuredFailover {
  const of = (wanted: string): number =>
    seconds(phases.filter(({ name }) => name === wanted).reduce((sum, { ms }) => sum + ms, 0));
  const handoverSeconds = of(WAITING_STEPS.handover);
  const whole = seconds(phases.reduce((sum, { ms }) => sum + ms, 0));
  const waited = {
    approvalSeconds: of(WAITING_STEPS.approval),
    fenceSeconds: of(WAITING_STEPS.fence),
    namesSeconds: of(WAITING_STEPS.names),
    ...(handoverSeconds === 0 ? {} : { handoverSeconds }),
  };
  const own = whole - Object.values(waited).reduce((sum, one) => sum + one, 0);
  return { seconds: whole, waited, ownSeconds: Math.max(0, seconds(own * 1000)) };
}

export function seconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}
