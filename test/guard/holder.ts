/**
 * A worker that freezes and says so, for tests that kill it:
 * `node holder.ts <state directory> <volume> <mode> <the guard's engine>`.
 */
import { beginFreeze } from '../../src/docker/freeze.ts';
import { connectDocker } from '../../src/docker/connect.ts';
import { planFreeze } from '../../src/docker/freeze-plan.ts';
import { ensureGuard } from '../../src/guard/ensure.ts';

const [stateDirectory = '', volume = '', mode = 'pause', guardsEngine] = process.argv.slice(2);
const docker = connectDocker();
if (guardsEngine !== undefined) process.env['DOCKER_HOST'] = guardsEngine;
const signal = new AbortController().signal;
const guard = await ensureGuard(stateDirectory, signal);
const intent = await planFreeze(docker, {
  freezeId: 'held',
  system: 'test',
  mode: mode === 'stop' ? 'stop' : 'pause',
  budgetSeconds: 600,
  volumes: [volume],
});
await beginFreeze(intent, { docker, stateDirectory, guard, signal });
process.stdout.write(`frozen ${guard.pid}\n`);
// Keeps the freeze until it is killed: a pending promise alone would let the process end.
setInterval(() => undefined, 60_000);
