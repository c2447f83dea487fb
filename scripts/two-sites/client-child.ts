/**
 * The users of the shop, on a machine of their own: record after record to where the public name leads, and a line for each that
 * was acknowledged. `client-child.ts <zone file> <log> <port>`; ends on SIGTERM.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 30;
const ANSWER_LIMIT_MS = 1500;

const [zone = '', log = '', port = ''] = process.argv.slice(2);
let running = true;
process.once('SIGTERM', () => (running = false));
for (let id = 1; running; id += 1) {
  const address = readFileSync(zone, 'utf8').trim();
  try {
    const url = `http://${address}:${port}/workflows/${id}`;
    const answer = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    await answer.arrayBuffer();
    if (answer.status === 201) appendFileSync(log, `${JSON.stringify({ id, at: Date.now() })}\n`);
  } catch {
    // The shop is away: what it did not acknowledge it does not owe.
  }
  await sleep(EVERY_MS);
}
