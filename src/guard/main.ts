/** The guard's process: `node src/guard/main.ts <state directory>`. Started by `ensureGuard`; rarely by hand. */
import { connectDocker } from '../docker/connect.ts';
import { guard } from './guard.ts';

const [stateDirectory] = process.argv.slice(2);

function milliseconds(name: string, standard: number): number {
  const value = Number(process.env[name] ?? '');
  return Number.isFinite(value) && value > 0 ? value : standard;
}

function log(message: string): void {
  process.stderr.write(`${new Date().toISOString()} guard ${process.pid}: ${message}\n`);
}

if (stateDirectory === undefined) {
  process.stderr.write('Usage: node src/guard/main.ts <state directory>\n');
  process.exitCode = 2;
} else {
  // A terminal that is closed, or Ctrl-C in it, ends the worker; what it had paused is still released.
  process.on('SIGHUP', () => undefined);
  process.on('SIGINT', () => undefined);
  try {
    const end = await guard({
      docker: connectDocker(),
      stateDirectory,
      idleMs: milliseconds('HOLDFAST_GUARD_IDLE_MS', 60_000),
      intervalMs: milliseconds('HOLDFAST_GUARD_INTERVAL_MS', 250),
      log,
    });
    if (end !== 'another') log(`ends: ${end}`);
    process.exitCode = 0;
  } catch (error) {
    log(error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = 1;
  }
  // Sockets of an engine that hangs must not keep it.
  process.exit();
}
