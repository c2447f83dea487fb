/** What one look at something has come to. Pure. */
import type { Finding, Unknown } from './findings.ts';

export interface Judged {
  readonly findings: readonly Finding[];
  readonly unknown: readonly Unknown[];
}

export const NOTHING: Judged = { findings: [], unknown: [] };

export function together(judged: readonly Judged[]): Judged {
  return { findings: judged.flatMap(({ findings }) => findings), unknown: judged.flatMap(({ unknown }) => unknown) };
}
