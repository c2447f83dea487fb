/** The operator's table of prices: a YAML or JSON file that the system file names. */
import { parse } from 'yaml';
import { z } from 'zod';
import { HoldfastError } from '../failures.ts';
import type { PriceTable } from '../policy/prices.ts';
import { readText } from './register.ts';
import type { System } from './types.ts';

const price = z.number().nonnegative();
const thaw = z.strictObject({ gib: price, thousandRequests: price });

export const priceTableSchema = z.strictObject({
  currency: z.string().min(1),
  rows: z
    .array(
      z.strictObject({
        kind: z.enum(['directory', 's3', 'gcs', 'azure', 'sftp']),
        store: z.string().exactOptional(),
        class: z.string().exactOptional(),
        region: z.string().exactOptional(),
        gibMonth: price,
        readGib: price.exactOptional(),
        thaw: z
          .strictObject({
            bulk: thaw.exactOptional(),
            standard: thaw.exactOptional(),
            expedited: thaw.exactOptional(),
          })
          .exactOptional(),
      }),
    )
    .min(1),
});

/** Undefined when the system file names none. Throws BadInput with what is wrong in the file. */
export async function loadPrices(system: Pick<System, 'prices'>): Promise<PriceTable | undefined> {
  return system.prices === undefined ? undefined : parsePrices(await readText(system.prices), system.prices);
}

export function parsePrices(text: string, file: string): PriceTable {
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new HoldfastError('BadInput', `the table of prices ${file} is neither YAML nor JSON`, { cause });
  }
  const parsed = priceTableSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue === undefined ? '' : `: ${issue.path.join('.')} ${issue.message}`;
  throw new HoldfastError('BadInput', `the table of prices ${file} does not follow its format${where}`, {
    hint: 'See examples/prices.yaml.',
  });
}
