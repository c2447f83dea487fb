/** Reports of checks, put together. Pure. */
import type { CheckReport } from '../kinds/component.ts';

export type CheckLine = CheckReport['checks'][number];

export function line(name: string, ok: boolean, detail: string): CheckLine {
  return { name, ok, detail: detail.length > 2000 ? `…${detail.slice(-2000)}` : detail };
}

export function reportOf(checks: readonly CheckLine[]): CheckReport {
  return { ok: checks.every((check) => check.ok), checks };
}

/** The end of what a program said, on one line. */
export function tail(output: string, characters = 400): string {
  const text = output.trim().replace(/\s*\n\s*/g, ' | ');
  return text.length > characters ? `…${text.slice(-characters)}` : text;
}
