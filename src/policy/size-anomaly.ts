/** A backup that is much larger or smaller than those before it: something was emptied, or written without end. Pure. */
import { formatBytes } from '../observe/format.ts';
import type { Plan, System } from '../system/types.ts';
import type { BackupSeen } from './backup-seen.ts';
import type { Finding } from './findings.ts';
import { limitsOf } from './limits.ts';
import { usable } from './judge-plans.ts';

export interface SizeFact {
  readonly atMs: number;
  readonly bytes: number;
}

export type SizeVerdict =
  | { readonly state: 'few'; readonly samples: number }
  | {
      readonly state: 'usual' | 'larger' | 'smaller';
      readonly samples: number;
      readonly newestBytes: number;
      readonly meanBytes: number;
      /** Of the mean: 0.5 is half more, -0.5 half less. */
      readonly change: number;
    };

const DAY_MS = 86_400_000;
const WINDOW_MS = 7 * DAY_MS;
/** A mean of fewer says nothing. */
const LEAST_SAMPLES = 3;
/** A plan that runs once a week is compared with so many of the weeks before. */
const SELDOM_SAMPLES = 4;
const SELDOM_WINDOW_MS = 35 * DAY_MS;
/** A file of settings that doubles is no news. */
const NOTICEABLE_BYTES = 64 * 1024;

/** The newest against the mean of the seven days before it; of what runs seldom, of the last four in five weeks. */
export function judgeSize(sizes: readonly SizeFact[], share: number): SizeVerdict {
  const [newest, ...before] = sizes.toSorted((a, b) => b.atMs - a.atMs);
  if (newest === undefined) return { state: 'few', samples: 0 };
  const within = (ms: number): SizeFact[] => before.filter(({ atMs }) => newest.atMs - atMs <= ms);
  const week = within(WINDOW_MS);
  const samples = week.length >= SELDOM_SAMPLES ? week : within(SELDOM_WINDOW_MS).slice(0, SELDOM_SAMPLES);
  if (samples.length < LEAST_SAMPLES) return { state: 'few', samples: samples.length };
  const meanBytes = samples.reduce((sum, { bytes }) => sum + bytes, 0) / samples.length;
  const difference = newest.bytes - meanBytes;
  const change = meanBytes === 0 ? (difference === 0 ? 0 : Infinity) : difference / meanBytes;
  const facts = { samples: samples.length, newestBytes: newest.bytes, meanBytes, change };
  if (Math.abs(difference) < NOTICEABLE_BYTES || Math.abs(change) <= share) return { state: 'usual', ...facts };
  return { state: difference > 0 ? 'larger' : 'smaller', ...facts };
}

/** Each component of the newest usable backup of the plan. */
export function judgeSizes(system: System, plan: Plan, backups: readonly BackupSeen[], nowMs: number): Finding[] {
  const { sizeChange } = limitsOf(plan, nowMs);
  const own = usable(backups, plan.name, nowMs);
  const [newest] = own;
  return (newest?.components ?? []).flatMap(({ name, kind }): Finding[] => {
    const verdict = judgeSize(sizesOf(own, name), sizeChange);
    if (verdict.state !== 'larger' && verdict.state !== 'smaller') return [];
    const { newestBytes, meanBytes, change, samples, state } = verdict;
    const percent = Number.isFinite(change) ? `${Math.round(Math.abs(change) * 100)} %` : 'much';
    const sizes = `${formatBytes(newestBytes)} against a mean of ${formatBytes(Math.round(meanBytes))} of ${samples} backups before`;
    return [
      {
        system: system.name,
        check: 'size',
        subject: `${plan.name}/${name}`,
        severity: 'warning',
        what: `plan ${plan.name}: ${name} (${kind}) is ${percent} ${state} than usual: ${sizes}`,
        hint: `Look at what changed, and hold an older backup while in doubt: holdfast show ${system.name} ${newest?.id ?? ''}; holdfast hold ${system.name} <backup>`,
      },
    ];
  });
}

function sizesOf(backups: readonly BackupSeen[], component: string): SizeFact[] {
  return backups.flatMap(({ pointAtMs, components }) => {
    const found = components.find(({ name }) => name === component);
    return found === undefined ? [] : [{ atMs: pointAtMs, bytes: found.sizeBytes }];
  });
}
