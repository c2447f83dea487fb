/** An example's Compose project at work in its own directory, as a person who follows its README would have it. */
import { randomBytes } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type Docker from 'dockerode';
import { interpolate, readCompose } from '../../sample/stack/compose-file.ts';
import { createProject, removeProject } from '../../sample/stack/project.ts';
import type { Stage } from './example.ts';

export interface StackOptions {
  /** The example's, and its project's, name. */
  readonly name: string;
  /** Where the README has it lie. */
  readonly home: string;
  /** Default docker-compose.yml. */
  readonly file?: string;
  /** Of its `.env`, beside what is secret there. */
  readonly variables: Readonly<Record<string, string>>;
}

export class Stack {
  readonly docker: Docker;
  /** Of this run. */
  readonly project: string;
  /** Absolute: what lies at `home` elsewhere. */
  readonly directory: string;
  readonly password: string;

  private constructor(docker: Docker, project: string, directory: string, password: string) {
    this.docker = docker;
    this.project = project;
    this.directory = directory;
    this.password = password;
  }

  /** Copies the example into place, writes its `.env`, and resolves when every service is healthy. */
  static async start(stage: Stage, options: StackOptions): Promise<Stack> {
    const project = `example-${options.name}-${stage.suffix}`;
    const directory = join(rootOf(stage), options.home);
    const file = options.file ?? 'docker-compose.yml';
    await mkdir(dirname(directory), { recursive: true });
    await cp(join(stage.source, options.name), directory, { recursive: true });
    await rm(join(directory, `${options.name}.yaml`));
    const password = randomBytes(18).toString('base64url');
    const values = { ...options.variables, COMPOSE_PROJECT_NAME: project, POSTGRES_PASSWORD: password };
    const lines = Object.entries(values).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(join(directory, '.env'), lines.join(''), { mode: 0o600 });
    const compose = readCompose(interpolate(await readFile(join(directory, file), 'utf8'), values));
    stage.cleanup.add(() => removeProject(stage.docker, project));
    await createProject(stage.docker, compose, { directory, file });
    return new Stack(stage.docker, project, directory, password);
  }

  container(service: string): Docker.Container {
    return this.docker.getContainer(`${this.project}-${service}-1`);
  }

  /** Resolves when it is down; one that has ended by itself meanwhile is. */
  async halt(service: string): Promise<void> {
    try {
      await this.container(service).stop();
    } catch (error) {
      // The engine's "304 Not Modified".
      if ((error as { statusCode?: unknown }).statusCode !== 304) throw error;
    }
  }
}

/** What stands for `/` of a machine of the example's own. */
export function rootOf(stage: Pick<Stage, 'directory'>): string {
  return join(stage.directory, 'machine');
}

/** Writes a secret where the system file looks for it. */
export async function secretAt(stage: Stage, path: string, value: string): Promise<void> {
  const file = join(rootOf(stage), path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, value, { mode: 0o600 });
}
