/** What a bucket should have, what it has, and what would change it: decided without asking anybody. */
import type { Immutable } from '../system/store-types.ts';
import { dangersOf, ownRule, sameRule, type LifecycleRule } from './bucket-lifecycle.ts';
import { planReplication, type Replication } from './bucket-replication.ts';

/** What a server told of a bucket; `untold` is what it has no answer to. */
export interface BucketState {
  readonly exists: boolean;
  readonly versioning: 'enabled' | 'suspended' | 'never' | 'untold';
  readonly lock: { readonly mode: Immutable['mode']; readonly days: number } | 'without default' | 'none' | 'untold';
  readonly encryption: { readonly algorithm: string; readonly kmsKey?: string } | 'none' | 'untold';
  readonly publicAccess: 'blocked' | 'open' | 'untold';
  readonly lifecycle: readonly LifecycleRule[] | 'untold';
  readonly replication: Replication | 'none' | 'untold';
}

export interface BucketWishes {
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly immutable?: Immutable | undefined;
  /** ARN or id; absent: SSE-S3, or what the bucket has. */
  readonly kmsKey?: string | undefined;
  /** After so many days a version that is not the current one goes, unless a lock holds it. */
  readonly keepVersionsDays: number;
  readonly replicate?: { readonly to: string; readonly role: string } | undefined;
}

export type BucketChange =
  | { readonly kind: 'create'; readonly lock: boolean }
  | { readonly kind: 'versioning' }
  | { readonly kind: 'lock'; readonly mode: Immutable['mode']; readonly days: number }
  | { readonly kind: 'encryption'; readonly kmsKey?: string }
  | { readonly kind: 'public access' }
  | { readonly kind: 'lifecycle'; readonly rules: readonly LifecycleRule[] }
  | { readonly kind: 'replication'; readonly replication: Replication };

export interface SetupStep {
  readonly change: BucketChange;
  readonly now: string;
  readonly then: string;
}

export interface SetupPlan {
  /** In the order to be made. Empty when the bucket is as it should be. */
  readonly steps: readonly SetupStep[];
  /** What others set up and may destroy backups. Never changed by this. */
  readonly dangers: readonly string[];
  /** What could not be told or made. */
  readonly notes: readonly string[];
}

/** What a bucket has that was just made. */
const NEW: BucketState = {
  exists: true,
  versioning: 'never',
  lock: 'none',
  encryption: 'none',
  publicAccess: 'open',
  lifecycle: [],
  replication: 'none',
};

const DAY_SECONDS = 86_400;

export function planSetup(found: BucketState, wishes: BucketWishes): SetupPlan {
  const { immutable } = wishes;
  const state = found.exists ? found : NEW;
  const notes: string[] = [];
  const creation: SetupStep = {
    change: { kind: 'create', lock: immutable !== undefined },
    now: 'there is no such bucket',
    then: immutable === undefined ? 'a bucket' : 'a bucket with Object Lock',
  };
  const steps = [
    found.exists ? undefined : creation,
    versioning(state, notes),
    lock(state, immutable, notes),
    encryption(state, wishes.kmsKey, notes),
    publicAccess(state, notes),
    lifecycle(state, wishes, notes),
    planReplication(state.replication, { ...wishes, kmsKey: wishes.kmsKey ?? kmsKeyOf(state) }, notes),
  ].filter((step) => step !== undefined);
  const dangers = state.lifecycle === 'untold' ? [] : dangersOf(state.lifecycle, wishes.prefix);
  return { steps, dangers, notes };
}

function versioning({ versioning: now }: BucketState, notes: string[]): SetupStep | undefined {
  if (now === 'enabled') return undefined;
  if (now === 'untold') notes.push('This server does not tell whether it keeps versions.');
  return now === 'untold'
    ? undefined
    : { change: { kind: 'versioning' }, now: `versioning ${now}`, then: 'versioning enabled' };
}

/** Never shorter or weaker than it is: what is locked already was promised. */
function lock({ lock: now }: BucketState, wish: Immutable | undefined, notes: string[]): SetupStep | undefined {
  if (wish === undefined) return undefined;
  if (now === 'untold') {
    notes.push('This server has no Object Lock, which `immutable` asks for.');
    return undefined;
  }
  const wanted = { mode: wish.mode, days: Math.ceil(wish.forSeconds / DAY_SECONDS) };
  if (typeof now === 'string') {
    const text = now === 'none' ? 'no Object Lock' : 'Object Lock without a default';
    return { change: { kind: 'lock', ...wanted }, now: text, then: lockText(wanted) };
  }
  const mode = now.mode === 'compliance' ? now.mode : wanted.mode;
  const days = Math.max(now.days, wanted.days);
  if (mode === now.mode && days === now.days) {
    const more = now.mode !== wanted.mode || now.days > wanted.days;
    if (more)
      notes.push(`The bucket locks by default ${lockText(now)}, more than the system file asks for; that stays.`);
    return undefined;
  }
  return { change: { kind: 'lock', mode, days }, now: lockText(now), then: lockText({ mode, days }) };
}

function lockText({ mode, days }: { mode: string; days: number }): string {
  return `Object Lock, ${mode}, ${days} days by default`;
}

function encryption(
  { encryption: now }: BucketState,
  kmsKey: string | undefined,
  notes: string[],
): SetupStep | undefined {
  if (now === 'untold') {
    notes.push('This server does not tell how it encrypts. Everything in a vault is sealed before it gets there.');
    return undefined;
  }
  const change: BucketChange = kmsKey === undefined ? { kind: 'encryption' } : { kind: 'encryption', kmsKey };
  const then = kmsKey === undefined ? 'encrypted with SSE-S3' : `encrypted with SSE-KMS, key ${kmsKey}`;
  if (now === 'none') return { change, now: 'no encryption by default', then };
  if (kmsKey === undefined || (now.algorithm === 'aws:kms' && now.kmsKey === kmsKey)) return undefined;
  return { change, now: `encrypted with ${now.algorithm} ${now.kmsKey ?? ''}`.trim(), then };
}

/** The key of a bucket that encrypts by KMS already, whether somebody asks for it or not. */
function kmsKeyOf({ encryption: now }: BucketState): string | undefined {
  if (typeof now === 'string' || !now.algorithm.startsWith('aws:kms')) return undefined;
  return now.kmsKey ?? 'aws/s3';
}

function publicAccess({ publicAccess: now }: BucketState, notes: string[]): SetupStep | undefined {
  if (now === 'untold') notes.push('This server does not tell whether the bucket may be made public.');
  if (now !== 'open') return undefined;
  return { change: { kind: 'public access' }, now: 'may be made public', then: 'all public access blocked' };
}

function lifecycle({ lifecycle: now }: BucketState, wishes: BucketWishes, notes: string[]): SetupStep | undefined {
  if (now === 'untold') {
    notes.push(
      'This server has no lifecycle rules: remove incomplete uploads and old versions there by its own means.',
    );
    return undefined;
  }
  const wanted = ownRule(wishes);
  const mine = now.find(({ ID }) => ID === wanted.ID);
  if (mine !== undefined && sameRule(mine, wanted)) return undefined;
  const rules = [...now.filter(({ ID }) => ID !== wanted.ID), wanted];
  const what = `incomplete uploads go after 7 days, old versions after ${wishes.keepVersionsDays}`;
  const before = mine === undefined ? 'no rule for what is left behind' : `another rule named ${mine.ID ?? ''}`;
  return { change: { kind: 'lifecycle', rules }, now: before, then: what };
}
