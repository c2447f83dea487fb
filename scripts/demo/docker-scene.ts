/** The sample M2M connector in Docker. */
import { join } from 'node:path';
import type Docker from 'dockerode';
import { checkLedger } from '../../sample/ledger/check.ts';
import { waitFor } from '../../sample/stack/processes.ts';
import {
  containerName,
  ledgerHealth,
  loseVolumeOf,
  startSampleStack,
  stopSampleStack,
  volumePath,
} from '../../sample/stack/stack.ts';
import type { SampleStack } from '../../sample/stack/stack.ts';
import { sampleSystemFile } from '../../sample/stack/system-file.ts';
import type { LedgerNumbers, Scene } from './scene.ts';

const LIMIT_MS = 180_000;
const PROJECT = 'holdfast-demo';

/** The last line that the ledger wrote when it opened its file. */
export function lastOpening(log: string): LedgerNumbers | undefined {
  const lines = [...log.matchAll(/\{"listening".*\}/g)].map(([line]) => JSON.parse(line) as LedgerNumbers);
  return lines.at(-1);
}

export class DockerScene implements Scene {
  readonly description = 'the ledger’s volume, the wallet’s databases and seed, configuration, the Compose project';
  readonly seed = 42;
  readonly accounts = 1260;
  readonly ledgerFile = '0_0.tigerbeetle';
  readonly project: string;
  private readonly docker: Docker;
  private readonly directory: string;
  private readonly say: (text: string) => void;
  private started: SampleStack | undefined;

  constructor(docker: Docker, directory: string, suffix: string, say: (text: string) => void) {
    this.docker = docker;
    this.directory = directory;
    this.project = `${PROJECT}-${suffix}`;
    this.say = say;
  }

  private get stack(): SampleStack {
    if (this.started === undefined) throw new Error('the stack is not up');
    return this.started;
  }

  async begin(): Promise<void> {
    this.started = await startSampleStack({
      docker: this.docker,
      directory: this.directory,
      project: this.project,
      ledgerMiB: 64,
      transfersPerSecond: 200,
      seed: this.seed,
      say: this.say,
    });
  }

  systemFile(storePath: string): string {
    return sampleSystemFile(this.stack, { storePath });
  }

  async health(): Promise<LedgerNumbers> {
    const health = await ledgerHealth(this.stack);
    if (health.status !== 'ok') throw new Error(`the ledger does not serve: ${health.problems.join('; ')}`);
    return health;
  }

  aroundCapture<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  private async paused(): Promise<boolean> {
    const { State } = await this.docker.getContainer(containerName(this.stack, 'ledger')).inspect();
    return State.Paused;
  }

  async middleOfCapture(): Promise<string> {
    await waitFor('the freeze of the ledger', LIMIT_MS, async () => (await this.paused()) || undefined, 3);
    return 'inside the freeze, with the ledger paused';
  }

  async released(): Promise<string> {
    await waitFor('the ledger to be released', LIMIT_MS, async () => !(await this.paused()) || undefined, 20);
    await waitFor('the ledger to serve', LIMIT_MS, () => this.health().catch(() => undefined));
    return 'the ledger runs again; nothing stayed paused';
  }

  async destroy(): Promise<string> {
    await loseVolumeOf(this.stack, 'ledger');
    return `removed the ledger’s container and its volume ${this.stack.volume}; both are there again, empty`;
  }

  /** A volume is restored into a volume. */
  lookAt() {
    const target = `${this.project}-look`;
    return { target, file: async () => join(await volumePath(this.stack, target), this.ledgerFile) };
  }

  reopen(): Promise<void> {
    return Promise.resolve();
  }

  async firstWords(): Promise<LedgerNumbers> {
    const log = await this.docker
      .getContainer(containerName(this.stack, 'ledger'))
      .logs({ stdout: true, stderr: true });
    const numbers = lastOpening(log.toString('utf8'));
    if (numbers === undefined) throw new Error(`the ledger never opened: ${log.toString('utf8')}`);
    return numbers;
  }

  async checkNow() {
    const ledger = this.docker.getContainer(containerName(this.stack, 'ledger'));
    await ledger.pause();
    try {
      return await checkLedger(join(await volumePath(this.stack), this.ledgerFile));
    } finally {
      await ledger.unpause();
    }
  }

  async end(): Promise<void> {
    await stopSampleStack({ docker: this.docker, project: this.project, directory: this.directory });
  }
}
