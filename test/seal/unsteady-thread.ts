/** A thread that dies as told: for the test of the pool around it. */
import { serveJobs } from '../../src/seal/thread-messages.ts';

serveJobs({
  request: (_job, body) => {
    if (body === 'exit') process.exit(3);
    if (body === 'throw later') {
      setImmediate(() => {
        throw new Error('thrown outside of any job');
      });
      return { type: 'ask', body: 'what then?' };
    }
    if (body === 'fail') throw new TypeError('this job only');
    return { type: 'done', body: `did ${String(body)}`, transfer: [] };
  },
  answer: (_job, body) => ({ type: 'done', body, transfer: [] }),
  release: () => undefined,
});
