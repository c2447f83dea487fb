import type { Notice } from '../../src/policy/notices.ts';

export const NOTICE: Notice = {
  id: 'run-1-3',
  type: 'incident.escalated',
  at: '2026-11-21T02:30:00.000Z',
  system: 'shop',
  severity: 'critical',
  title: 'shop: escalated to L2: freshness of hourly',
  text: 'the newest backup is 3 h old, its limit is 1 h\nWhat to do: look <here> & there',
  facts: { incident: 'freshness/hourly', level: 2, levelName: 'L2' },
};

export const NEVER = new AbortController().signal;

/** What was thrown, and everything that could be logged of it. */
export async function thrownBy(promise: Promise<unknown>): Promise<{ code: string; message: string; all: string }> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('nothing was thrown');
  const { code, details } = error as Error & { code?: string; details?: unknown };
  const causes = [];
  for (let at: unknown = error.cause; at instanceof Error; at = at.cause) causes.push(at.message, at.stack);
  return {
    code: code ?? '',
    message: error.message,
    all: JSON.stringify([error.message, error.stack, details, causes]),
  };
}

/** The same channel with keys left out that it may lack. */
export function without<T extends object, K extends keyof T>(channel: T, ...keys: readonly K[]): Omit<T, K> & T {
  const left: readonly PropertyKey[] = keys;
  return Object.fromEntries(Object.entries(channel).filter(([key]) => !left.includes(key))) as Omit<T, K> & T;
}
