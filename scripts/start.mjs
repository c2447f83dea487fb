#!/usr/bin/env node
// Runs one of the project's TypeScript programs on the Node that package.json pins, from a fresh clone if need be.
// Plain JavaScript for Node 20 and without dependencies, because it runs before anything is installed.
//   node scripts/start.mjs scripts/test.ts [arguments]
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const pinnedNode = path.join(root, 'node_modules', '.bin', 'node');
const attempts = 3;

/** A message for a person; thrown, so that locks are given back on the way out. */
class Stop extends Error {}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** What differs between the lock file and what is installed, or undefined when everything is there. */
function whatIsMissing() {
  const hidden = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(hidden)) return 'node_modules';
  const wanted = readJson(path.join(root, 'package-lock.json')).packages;
  const installed = readJson(hidden).packages;
  for (const [where, entry] of Object.entries(wanted)) {
    // Optional packages are those of other platforms; links and the root itself are not installed.
    if (where === '' || entry.optional || entry.devOptional || entry.link) continue;
    if (installed[where]?.version !== entry.version) return `${where.replace('node_modules/', '')} ${entry.version}`;
  }
  return existsSync(pinnedNode) ? undefined : 'the pinned Node';
}

function npm(args) {
  return spawnSync('npm', args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, npm_config_loglevel: 'error' },
  });
}

/** One installation at a time in this tree; a lock whose owner is gone is taken over. */
function withInstallLock(work) {
  const lock = path.join(root, 'node_modules.lock');
  const owner = path.join(lock, 'pid');
  for (let waited = 0; ; waited += 1) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned(lock, owner)) rmSync(lock, { recursive: true, force: true });
    else if (waited === 0) process.stderr.write('Another installation runs in this directory; waiting for it …\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
  try {
    writeFileSync(owner, String(process.pid));
    return work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function isAbandoned(lock, owner) {
  try {
    process.kill(Number(readFileSync(owner, 'utf8')), 0);
    return false;
  } catch (error) {
    if (error.code === 'ESRCH') return true;
    // The owner writes its number right after making the directory; without one after 10 s it died in between.
    return error.code === 'ENOENT' && existsSync(lock) && Date.now() - statSync(lock).mtimeMs > 10_000;
  }
}

function install() {
  const missing = whatIsMissing();
  if (missing === undefined) return;
  process.stderr.write(`Installing the packages of package-lock.json (missing: ${missing}) …\n`);
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    // What is there already may be in use by another program of ours: it is completed, not removed.
    const done = npm(existsSync(path.join(root, 'node_modules')) ? ['install', '--no-save'] : ['ci']);
    if (done.error) throw new Stop(`npm cannot be started (${done.error.message}). Install Node 20 or newer with npm.`);
    // Where install scripts are switched off, the pinned Node comes only with a rebuild of that one package.
    if (done.status === 0 && !existsSync(pinnedNode)) npm(['rebuild', 'node', '--ignore-scripts=false']);
    if (whatIsMissing() === undefined) return;
    process.stderr.write(`npm did not complete the installation (attempt ${attempt} of ${attempts}).\n`);
  }
  throw new Stop(`Still missing: ${whatIsMissing()}. Check the network, then run \`npm ci\` by hand.`);
}

function start(script, args) {
  const child = spawn(pinnedNode, [path.resolve(root, script), ...args], { stdio: 'inherit' });
  child.on('error', (error) => {
    process.stderr.write(`${pinnedNode} cannot be started: ${error.message}\n`);
    process.exit(1);
  });
  // A terminal's Ctrl-C reaches the child by itself; this process only has to outlive it.
  process.on('SIGINT', () => undefined);
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1));
}

function main([script, ...args]) {
  if (script === undefined) throw new Stop('Usage: node scripts/start.mjs <script> [arguments]');
  if (whatIsMissing() !== undefined) withInstallLock(install);
  start(script, args);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
