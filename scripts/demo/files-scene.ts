/** The same ledger and wallet as plain processes and files: for machines where no container can run. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkLedger } from '../../sample/ledger/check.ts';
import { openWallet } from '../../sample/m2m/connector.ts';
import type { Wallet } from '../../sample/m2m/connector.ts';
import { waitFor } from '../../sample/stack/processes.ts';
import { filesSystemFile } from '../../sample/stack/system-file.ts';
import { writeLedgerData } from '../bench/ledger-data.ts';
import { lastOpening } from './docker-scene.ts';
import type { LedgerNumbers, Scene } from './scene.ts';

const SERVER = join(dirname(dirname(import.meta.dirname)), 'sample', 'ledger', 'server.ts');
const LIMIT_MS = 180_000;
const LOAD = 200;
const ARCHIVE_BYTES = 192 * 1024 * 1024;

async function chunksIn(storePath: string): Promise<number> {
  const names = await readdir(join(storePath, 'chunks'), { recursive: true }).catch(() => []);
  return names.length;
}

export class FilesScene implements Scene {
  readonly description = 'the ledger’s directory, the wallet’s databases and seed, configuration';
  readonly seed = 42;
  readonly accounts = 1260;
  readonly ledgerFile = '0_0.tigerbeetle';
  private readonly directory: string;
  private server: ChildProcess | undefined;
  private log = '';
  private port = 0;
  private wallet: Wallet | undefined;
  private writing: NodeJS.Timeout | undefined;

  constructor(directory: string) {
    this.directory = directory;
  }

  private get ledgerDirectory(): string {
    return join(this.directory, 'ledger');
  }

  private get walletDirectory(): string {
    return join(this.directory, 'wallet');
  }

  async begin(): Promise<void> {
    for (const inner of ['ledger', 'wallet', 'peers']) await mkdir(join(this.directory, inner), { recursive: true });
    await writeFile(join(this.directory, '.env'), 'NODE_ID=sample\n', { mode: 0o600 });
    await writeFile(join(this.directory, 'peers', 'peer-alice.yaml'), 'peer: alice\n');
    await writeFile(join(this.walletDirectory, 'master-seed.enc'), 'sealed elsewhere\n', { mode: 0o600 });
    this.startWallet();
    await this.startLedger();
    await this.load(LOAD);
  }

  private startWallet(): void {
    const wallet = openWallet(this.walletDirectory);
    let step = 0;
    this.wallet = wallet;
    this.writing = setInterval(() => wallet.transfer(step++), 200);
  }

  private stopWallet(): void {
    clearInterval(this.writing);
    this.wallet?.close();
    this.wallet = undefined;
  }

  private async startLedger(): Promise<void> {
    const server = spawn(process.execPath, [SERVER], {
      env: {
        ...process.env,
        LEDGER_FILE: join(this.ledgerDirectory, this.ledgerFile),
        LEDGER_MIB: '64',
        LEDGER_HOST: '127.0.0.1',
        LEDGER_PORT: '0',
        LEDGER_SEED: String(this.seed),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.server = server;
    this.log = '';
    server.stdout.on('data', (bytes: Buffer) => (this.log += bytes.toString()));
    this.port = await waitFor('the ledger', LIMIT_MS, () => {
      const port = /"listening":(\d+)/.exec(this.log)?.[1];
      return Promise.resolve(port === undefined ? undefined : Number(port));
    });
  }

  private async stopLedger(): Promise<void> {
    const { server } = this;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }

  private async load(perSecond: number): Promise<void> {
    const body = JSON.stringify({ perSecond });
    const answer = await fetch(`http://127.0.0.1:${this.port}/load`, { method: 'POST', body });
    if (!answer.ok) throw new Error(`the ledger refused: ${await answer.text()}`);
    if (perSecond > 0) return;
    let before = -1;
    await waitFor('the ledger to be quiet', LIMIT_MS, async () => {
      const { records } = await this.health();
      const quiet = records === before;
      before = records;
      return quiet || undefined;
    });
  }

  systemFile(storePath: string): string {
    const { directory, ledgerDirectory, walletDirectory } = this;
    return filesSystemFile({ directory, ledgerDirectory, walletDirectory }, { storePath });
  }

  async health(): Promise<LedgerNumbers> {
    const answer = await fetch(`http://127.0.0.1:${this.port}/health`, { signal: AbortSignal.timeout(20_000) });
    if (!answer.ok) throw new Error(`the ledger does not serve: ${await answer.text()}`);
    return (await answer.json()) as LedgerNumbers;
  }

  /** No container, no freeze: the load is stopped for the time of the capture. */
  async aroundCapture<T>(work: () => Promise<T>): Promise<T> {
    await this.load(0);
    try {
      return await work();
    } finally {
      await this.load(LOAD);
    }
  }

  async middleOfCapture(storePath: string): Promise<string> {
    const before = await chunksIn(storePath);
    await waitFor(
      'the first new chunks',
      LIMIT_MS,
      async () => (await chunksIn(storePath)) > before + 2 || undefined,
      5,
    );
    return 'while chunks were being written';
  }

  /** Something larger to read, so that there is a middle to be killed in. */
  async beforeKill(): Promise<void> {
    await writeLedgerData(join(this.ledgerDirectory, 'archive.data'), ARCHIVE_BYTES, 1);
  }

  released(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async destroy(): Promise<string> {
    await this.stopLedger();
    this.stopWallet();
    await rm(this.ledgerDirectory, { recursive: true });
    return `killed the ledger and deleted ${this.ledgerDirectory}`;
  }

  lookAt(directory: string) {
    const target = join(directory, 'look');
    return { target, file: () => Promise.resolve(join(target, this.ledgerFile)) };
  }

  async reopen(): Promise<void> {
    this.startWallet();
    await this.startLedger();
    await this.load(LOAD);
  }

  firstWords(): Promise<LedgerNumbers> {
    const numbers = lastOpening(this.log);
    if (numbers === undefined) return Promise.reject(new Error('the ledger never opened'));
    return Promise.resolve(numbers);
  }

  async checkNow() {
    await this.load(0);
    const check = await checkLedger(join(this.ledgerDirectory, this.ledgerFile));
    await this.load(LOAD);
    return check;
  }

  async end(): Promise<void> {
    this.stopWallet();
    await this.stopLedger();
    await rm(this.directory, { recursive: true, force: true });
  }
}
