import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { held, ThreadPool } from '../../src/seal/thread-pool.ts';

let pool: ThreadPool;

beforeEach(() => {
  const entry = new URL('./unsteady-thread.ts', import.meta.url);
  pool = new ThreadPool({ entry, workerData: undefined, threads: 1, jobsPerThread: 3, bytesPerThread: 100 });
});

afterEach(async () => {
  await pool.close();
});

const run = (request: string) => held(pool.run({ request, transfer: [], bytes: 1 }));

describe('threads that fail', () => {
  it('an error in a job: fails that job only', async () => {
    const [failed, fine] = [run('fail'), run('well')];
    await expect(failed).rejects.toMatchObject({ code: 'Internal' });
    await expect(failed).rejects.toThrow('this job only');
    expect(await fine).toBe('did well');
  });

  it('a thread that exits: fails the jobs it held, and the next ones run on a new thread', async () => {
    const held = [run('exit'), run('a'), run('b')];
    const later = [run('c'), run('d')];
    for (const job of held) await expect(job).rejects.toMatchObject({ code: 'Internal' });
    expect(await Promise.all(later)).toEqual(['did c', 'did d']);
  });

  it('an error outside of any job: fails what the thread held, says why, and never ends the process', async () => {
    const ask = () => new Promise<never>(() => undefined);
    const held = pool.run({ request: 'throw later', transfer: [], bytes: 1, ask });
    await expect(held).rejects.toThrow('thrown outside of any job');
    expect(await run('on')).toBe('did on');
  });

  it('a buffer that was given away already: fails that job only, now and when it comes from the queue', async () => {
    const gone = new ArrayBuffer(8);
    gone.transfer();
    const give = () => held(pool.run({ request: 'well', transfer: [gone], bytes: 1 }));
    const jobs = [give(), ...Array.from({ length: 10 }, (_, index) => run(String(index))), give(), run('last')];
    const results = await Promise.allSettled(jobs);
    expect(results.map((result) => result.status === 'rejected')).toEqual(jobs.map((_, at) => at === 0 || at === 11));
  });

  it('ready: waits while the queue is long, and resolves as it shrinks', async () => {
    const jobs = Array.from({ length: 50 }, (_, index) => run(String(index)));
    await pool.ready();
    expect(await Promise.all(jobs)).toHaveLength(50);
    await pool.ready();
  });
});
