/** Ends the Docker daemon of this machine by SIGTERM and starts it again: what an upgrade of the engine does. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, signalProcess, waitForEnd } from '../../src/engine/process.ts';
import { dockerAnswers } from '../setup/docker.ts';
import { findProgram } from '../setup/run.ts';

const LIMIT_MS = 120_000;

/** As root, and only where the caller has asked for it: every container on the machine feels it. */
export async function restartDockerEngine(): Promise<void> {
  const identity = identityOf(Number(readFileSync('/var/run/docker.pid', 'utf8')));
  if (identity === undefined) throw new Error('no Docker daemon runs');
  signalProcess(identity, 'SIGTERM');
  if (!(await waitForEnd(identity, LIMIT_MS))) throw new Error('the Docker daemon does not end');
  spawn(findProgram('dockerd') ?? 'dockerd', [], { detached: true, stdio: 'ignore' }).unref();
  const end = Date.now() + LIMIT_MS;
  while (!(await dockerAnswers())) {
    if (Date.now() > end) throw new Error('the Docker daemon does not come back');
    await sleep(200);
  }
}
