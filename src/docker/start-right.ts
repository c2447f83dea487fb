/**
 * Whether something of a system may be started on this machine at this moment, by two small files that lie here
 * (src/sites/site-files.ts): no network is asked, so that it can be looked at right before each start.
 */
import { z } from 'zod';
import { bootClockMs } from './boot-clock.ts';
import { readJson } from './durable-file.ts';
import { ownIdentity } from './process-identity.ts';

/** Where it is written. Neither: nobody has to be asked. */
export interface StartRight {
  /** What the site guard of this machine writes down: without its lease nothing is started. */
  readonly lease?: string;
  /** The newest generation that this machine has believed: while that is another site's, nothing is started at `site`. */
  readonly believed?: { readonly file: string; readonly site: string };
}

const leaseSchema = z.object({ bootId: z.string(), heldUntilMs: z.number().optional() });
const believedSchema = z.object({ n: z.number(), site: z.string() });

/** Undefined: it may be. A file that can't be read or made out is a reason, too. */
export async function whyNotStarted({ lease, believed }: StartRight): Promise<string | undefined> {
  try {
    if (lease !== undefined && !(await isLeaseHeld(lease))) return 'the site guard of this machine holds no lease';
    return believed === undefined ? undefined : await whyElsewhere(believed);
  } catch (error) {
    return `what is known of its sites can't be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function isLeaseHeld(file: string): Promise<boolean> {
  const found = await readJson(file);
  if (found === undefined) return false;
  const { bootId, heldUntilMs } = leaseSchema.parse(found);
  return bootId === ownIdentity().bootId && heldUntilMs !== undefined && bootClockMs() < heldUntilMs;
}

async function whyElsewhere({ file, site }: NonNullable<StartRight['believed']>): Promise<string | undefined> {
  const found = await readJson(file);
  if (found === undefined) return undefined;
  const newest = believedSchema.parse(found);
  return newest.site === site ? undefined : `generation ${newest.n} belongs to the site ${newest.site}`;
}
