/** The sample stack in Docker with Holdfast beside it: what the scenarios play on. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import Docker from 'dockerode';
import { Holdfast } from '../../sample/stack/holdfast.ts';
import type { Up } from '../../sample/stack/holdfast.ts';
import { waitFor } from '../../sample/stack/processes.ts';
import { containerName, startSampleStack, stopSampleStack } from '../../sample/stack/stack.ts';
import type { SampleStack } from '../../sample/stack/stack.ts';
import { sampleSystemFile } from '../../sample/stack/system-file.ts';
import { dockerEngine } from '../../scripts/setup/docker.ts';
import type { Finding } from '../../src/policy/findings.ts';
import { historyToPlain } from '../histories/history-json.ts';
import { ORCHESTRATION_QUEUE } from '../../src/task-queues.ts';
import type { MonitorResult, RestorePlan, RestoreResult } from '../../src/workflows/contract.ts';

export const SYSTEM = 'm2m-connector';
export const LIMIT_MS = 180_000;

export class Site {
  readonly directory: string;
  readonly stack: SampleStack;
  readonly holdfast: Holdfast;
  readonly storePath: string;
  readonly systemFile: string;
  readonly kitFile: string;
  private readonly engine: AsyncDisposable;
  private running: Up | undefined;

  private constructor(directory: string, stack: SampleStack, engine: AsyncDisposable) {
    this.directory = directory;
    this.stack = stack;
    this.engine = engine;
    this.holdfast = new Holdfast(join(directory, 'home'));
    this.storePath = join(directory, 'store');
    this.systemFile = join(directory, 'm2m.yaml');
    this.kitFile = join(directory, 'kit.txt');
  }

  /** A stack under load, a system with keys and a vault, and `holdfast up`. */
  static async open(): Promise<Site> {
    const engine = await dockerEngine();
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-scenario-'));
    const stack = await startSampleStack({
      docker: new Docker(),
      directory: join(directory, 'stack'),
      ledgerMiB: 8,
      transfersPerSecond: 100,
    });
    const site = new Site(directory, stack, engine);
    try {
      for (const each of [site.holdfast.home, site.storePath]) await mkdir(each);
      await writeFile(site.systemFile, sampleSystemFile(stack, { storePath: site.storePath }));
      await site.init(site.systemFile, '--kit', site.kitFile);
      await site.up();
      return site;
    } catch (error) {
      await site.close();
      throw error;
    }
  }

  async init(...args: string[]): Promise<void> {
    const { code, stderr } = await this.holdfast.run('init', ...args);
    if (code !== 0) throw new Error(`holdfast init: ${stderr}`);
  }

  async up(): Promise<Up> {
    this.running = await this.holdfast.up('--no-ui', '--no-page', '--port', '0');
    return this.running;
  }

  get address(): string {
    if (this.running === undefined) throw new Error('the engine does not run');
    return this.running.address;
  }

  async down(): Promise<void> {
    await this.running?.stop();
    this.running = undefined;
  }

  async close(): Promise<void> {
    try {
      await this.down();
    } finally {
      await stopSampleStack(this.stack);
      await rm(this.directory, { recursive: true, force: true });
      await this.engine[Symbol.asyncDispose]();
    }
  }

  container(service: 'ledger' | 'connector'): Docker.Container {
    return this.stack.docker.getContainer(containerName(this.stack, service));
  }

  /** Everything that the container wrote. */
  async log(service: 'ledger' | 'connector'): Promise<string> {
    return (await this.container(service).logs({ stdout: true, stderr: true })).toString('utf8');
  }

  async volumes(): Promise<string[]> {
    const { Volumes } = await this.stack.docker.listVolumes();
    return Volumes.map(({ Name }) => Name)
      .filter((name) => name.startsWith(this.stack.project))
      .sort();
  }

  /** Starts a restore, sees its plan, and approves it. */
  async restoreApproved(...args: string[]): Promise<RestoreResult> {
    const asked = await this.holdfast.run('restore', SYSTEM, ...args, '--json');
    if (asked.code !== 2) throw new Error(`the restore did not ask: ${asked.stderr}${asked.stdout}`);
    const { plan } = JSON.parse(asked.stdout) as { plan: RestorePlan };
    return this.holdfast.ask<RestoreResult>('approve', SYSTEM, plan.digest, '--by', 'a test', '--watch');
  }

  /** What the workflow `monitor` finds now, which opens and heals incidents. */
  async monitored(): Promise<readonly Finding[]> {
    return this.withClient(async (client) => {
      const options = { taskQueue: ORCHESTRATION_QUEUE, workflowId: `${SYSTEM}/monitor`, args: [{ system: SYSTEM }] };
      return ((await client.workflow.execute('monitor', options)) as MonitorResult).findings;
    });
  }

  /** All that the engine keeps of an operation, with what was handed to and fro as it reads. */
  async history(workflowId: string): Promise<string> {
    const history = await this.withClient((client) => client.workflow.getHandle(workflowId).fetchHistory());
    const text = JSON.stringify(historyToPlain(history));
    return text.replaceAll(/"data":"([\w+/=-]+)"/g, (_, data: string) => Buffer.from(data, 'base64').toString('utf8'));
  }

  private async withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
    const connection = await Connection.connect({ address: this.address });
    try {
      return await use(new Client({ connection }));
    } finally {
      await connection.close();
    }
  }

  /** Waits until an activity of the operation has failed for now, and returns the failure's code. */
  async pendingFailure(workflowId: string): Promise<string> {
    return this.withClient((client) =>
      waitFor(`a failure in ${workflowId}`, LIMIT_MS, async () => {
        const described = await client.workflow
          .getHandle(workflowId)
          .describe()
          .catch(() => undefined);
        const pending = described?.raw.pendingActivities ?? [];
        return pending.flatMap(({ lastFailure }) => lastFailure?.applicationFailureInfo?.type ?? [])[0];
      }),
    );
  }

  async secretToken(): Promise<string> {
    const text = await readFile(join(this.stack.directory, '.env'), 'utf8');
    return /API_TOKEN=(\S+)/.exec(text)?.[1] ?? '';
  }
}
