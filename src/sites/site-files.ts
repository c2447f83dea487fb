/**
 * What one machine knows of a system's sites, in `<state directory>/sites/`: the newest generation it has believed, the lease
 * that its guard holds, and who works on the stack. Small files that are whole or absent after any crash.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import { HoldfastError } from '../failures.ts';
import type { Generation } from '../policy/failover/lease.ts';
import { stateDirectory } from '../system/home.ts';
import { bootClockMs } from './boot-clock.ts';

const believedSchema = z.object({
  format: z.literal(1),
  n: z.number().int().positive(),
  site: z.string(),
  cleared: z.boolean(),
});

export const STACK_STATES = ['up', 'partly', 'down', 'unknown'] as const;
export type StackState = (typeof STACK_STATES)[number];

const leaseSchema = z.object({
  format: z.literal(1),
  /** Of the boot whose clock counts the lease. */
  bootId: z.string(),
  site: z.string(),
  /** By the boot clock; absent: none is held. */
  heldUntilMs: z.number().exactOptional(),
  /** Until when one was held at most, in this boot: from there on the time counts in which the stack has to be down. */
  lastUntilMs: z.number().exactOptional(),
  /** The newest that the guard has read; 0 before the first. */
  generation: z.number().int().nonnegative(),
  stack: z.enum(STACK_STATES),
  /** What the guard has told last, for people. */
  told: z.string(),
  pid: z.number().int(),
  /** By the boot clock. */
  writtenAtMs: z.number(),
});

const HANDOVER_MS = 60_000;
const handoverSchema = z.object({ format: z.literal(1), bootId: z.string(), untilMs: z.number() });

/** What the guard of this machine says. Its times are of the boot clock. */
export type LeaseFile = z.infer<typeof leaseSchema>;

export function sitesDirectory(system: string): string {
  return path.join(stateDirectory(system), 'sites');
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** The newest generation that this machine has ever believed. */
export async function readBelieved(system: string): Promise<Generation | undefined> {
  const found = await parsed(believedPath(system), believedSchema);
  return found === undefined ? undefined : { n: found.n, site: found.site, cleared: found.cleared };
}

/** Durable when this resolves. An older one than is known changes nothing. */
export async function rememberBelieved(system: string, { n, site, cleared }: Generation): Promise<void> {
  const known = await readBelieved(system);
  if (known !== undefined && (known.n > n || (known.n === n && known.cleared === cleared))) return;
  await writeDurably(believedPath(system), { format: 1, n, site, cleared });
}

/** What the guard has said in this boot; undefined where it has said nothing since. */
export async function readLease(system: string): Promise<LeaseFile | undefined> {
  const found = await parsed(leasePath(system), leaseSchema);
  return found?.bootId === bootId() ? found : undefined;
}

export async function writeLease(
  system: string,
  lease: Omit<LeaseFile, 'format' | 'bootId' | 'pid' | 'writtenAtMs'>,
): Promise<void> {
  const own = { format: 1, bootId: bootId(), pid: process.pid, writtenAtMs: bootClockMs() } as const;
  await writeDurably(leasePath(system), { ...own, ...lease } satisfies LeaseFile);
}

/** Nobody holds a lease here any more, also by a disk that is full. */
export async function forgetLease(system: string): Promise<void> {
  await removeDurably(leasePath(system));
}

/**
 * Said by who ends a guard in order to start it again at once: the stack goes on meanwhile, as long as its lease does. It
 * counts for this boot, for a minute, and until the next guard begins.
 */
export async function writeHandover(system: string): Promise<void> {
  await writeDurably(handoverPath(system), { format: 1, bootId: bootId(), untilMs: bootClockMs() + HANDOVER_MS });
}

export async function isHandedOver(system: string): Promise<boolean> {
  const found = await parsed(handoverPath(system), handoverSchema);
  return found?.bootId === bootId() && bootClockMs() < found.untilMs;
}

export async function endHandover(system: string): Promise<void> {
  await removeDurably(handoverPath(system));
}

/** At this moment. */
export function isHeld(lease: LeaseFile | undefined): lease is LeaseFile & { readonly heldUntilMs: number } {
  return lease?.heldUntilMs !== undefined && bootClockMs() < lease.heldUntilMs;
}

/** What this machine has believed last. */
export function believedPath(system: string): string {
  return path.join(sitesDirectory(system), 'believed.json');
}

/** What the guard of this machine writes down. */
export function leasePath(system: string): string {
  return path.join(sitesDirectory(system), 'lease.json');
}

function handoverPath(system: string): string {
  return path.join(sitesDirectory(system), 'handover.json');
}

async function parsed<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const found = await readJson(file);
  if (found === undefined) return undefined;
  const read = schema.safeParse(found);
  if (read.success) return read.data;
  throw new HoldfastError('Internal', `${file}: ${z.prettifyError(read.error)}`);
}
