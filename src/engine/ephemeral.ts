/** An engine for one command: a bare machine restores without `up` having been started before. */
import { connectEngine } from './connect.ts';
import type { Engine } from './connect.ts';
import { isAlive } from './process.ts';
import { readEngineRecord } from './state.ts';
import { isServerNamed } from './target.ts';
import { startUp } from './up.ts';
import type { UpOptions } from './up.ts';

/** Whether commands find an engine without starting one. */
export function isEngineKnown(): boolean {
  const record = readEngineRecord();
  return isServerNamed() || (record !== undefined && isAlive(record.owner));
}

/**
 * Runs the work with the engine that is there, or with one of its own in the same state directory, which ends with the
 * work, and which fires no schedule. What the work left unfinished goes on when the next engine starts there.
 */
export async function ephemeralEngine<T>(
  options: Pick<UpOptions, 'hosts' | 'workers' | 'onEvent' | 'signal'>,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  if (isEngineKnown()) {
    await using engine = await connectEngine();
    return await work(engine);
  }
  const running = await startUp({ ...options, port: 0, uiPort: false, metrics: 'off', fires: false });
  try {
    await using engine = await connectEngine(running.target);
    return await work(engine);
  } finally {
    await running.stop();
  }
}
