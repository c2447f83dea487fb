/** What one attempt of an activity knows and the next goes on with, counted on the boot clock of one machine. */
import type { z } from 'zod';
import { bootId } from '../../sites/site-files.ts';
import type { Run } from '../shell.ts';

/** `found`: of an attempt in the same boot, since no other clock can be compared; else it starts afresh. */
export function handOn<T>(
  { memory }: Run,
  schema: z.ZodType<T>,
): { readonly found: T | undefined; keep(value: T): void } {
  const [boot, text] = memory?.kept ?? [];
  const here = bootId();
  return {
    found: boot === here && text !== undefined ? parsed(text, schema) : undefined,
    keep: (value) => memory?.keep([here, JSON.stringify(value)]),
  };
}

function parsed<T>(text: string, schema: z.ZodType<T>): T | undefined {
  return schema.safeParse(JSON.parse(text)).data;
}
