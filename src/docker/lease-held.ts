/** Whether the site guard of this machine holds its lease, as it has written down (src/sites/site-files.ts). */
import { z } from 'zod';
import { bootClockMs } from './boot-clock.ts';
import { readJson } from './durable-file.ts';
import { ownIdentity } from './process-identity.ts';

const heldSchema = z.object({ bootId: z.string(), heldUntilMs: z.number().optional() });

/** At this moment. False where no guard has said so in this boot. Throws Internal for a file that is not one of a guard's. */
export async function isLeaseHeld(file: string): Promise<boolean> {
  const found = await readJson(file);
  if (found === undefined) return false;
  const { bootId, heldUntilMs } = heldSchema.parse(found);
  return bootId === ownIdentity().bootId && heldUntilMs !== undefined && bootClockMs() < heldUntilMs;
}
