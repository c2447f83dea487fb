/** A corner of the real Docker engine for one test file: what is made in it is labelled, and removed at its end. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

import Docker from 'dockerode';

import { API_VERSION, connectDocker } from '../../src/docker/connect.ts';
import type { DockerHost } from '../../src/docker/types.ts';

const run = promisify(execFile);
export const TEST_LABEL = 'dev.holdfast.test';

export interface ContainerOptions {
  readonly name?: string;
  /** Run by busybox' sh. */
  readonly script?: string;
  readonly binds?: readonly string[];
  readonly labels?: Record<string, string>;
  readonly stopTimeout?: number;
  readonly healthcheck?: string;
  readonly autoRemove?: boolean;
  readonly started?: boolean;
}

export interface DockerCorner {
  readonly docker: DockerHost;
  /** For what an operator does behind Holdfast's back. */
  readonly raw: Docker;
  readonly image: string;
  /** Unique to this corner; part of every name. */
  readonly id: string;
  container(options?: ContainerOptions): Promise<string>;
  volume(labels?: Record<string, string>): Promise<string>;
  /** Removed with the rest when a test made it by another way than this. */
  alsoVolume(name: string): void;
  readonly state: (id: string) => Promise<string>;
  cleanUp(): Promise<void>;
}

/** Ends by itself at once when it is stopped, so that tests are quick. */
export const IDLE_SCRIPT = "trap 'exit 0' TERM INT; while :; do sleep 1 & wait; done";

/** Fails with the next step when no engine answers: the test runner starts one where it can. */
export async function dockerCorner(): Promise<DockerCorner> {
  const docker = connectDocker();
  try {
    await docker.version();
  } catch (error) {
    throw new Error('These tests need a Docker engine; `npm test` starts one, or run `dockerd` as root.', {
      cause: error,
    });
  }
  const raw = new Docker({ version: API_VERSION });
  const id = randomBytes(4).toString('hex');
  const image = await testImage(raw, id);
  const volumes = new Set<string>();
  let count = 0;
  return {
    docker,
    raw,
    image,
    id,
    async container(options = {}) {
      const made = await raw.createContainer(containerSpec(options, `hf-${id}-c${++count}`, image, id));
      if (options.started !== false) await made.start();
      return made.id;
    },
    async volume(labels = {}) {
      const name = `hf-${id}-v${++count}`;
      await raw.createVolume({ Name: name, Labels: { ...labels, [TEST_LABEL]: id } });
      volumes.add(name);
      return name;
    },
    alsoVolume(name) {
      volumes.add(name);
    },
    async state(container) {
      return (await raw.getContainer(container).inspect()).State.Status;
    },
    async cleanUp() {
      await removeLabelled(raw, id);
      for (const name of volumes) await ignoreMissing(raw.getVolume(name).remove({ force: true }));
      await removeLabelledVolumes(raw, id);
      await ignoreMissing(raw.getImage(image).remove({ force: true }));
    },
  };
}

function containerSpec(
  options: ContainerOptions,
  name: string,
  image: string,
  id: string,
): Docker.ContainerCreateOptions {
  return {
    name: options.name ?? name,
    Image: image,
    Cmd: ['sh', '-c', options.script ?? IDLE_SCRIPT],
    Labels: { ...options.labels, [TEST_LABEL]: id },
    ...(options.stopTimeout === undefined ? {} : { StopTimeout: options.stopTimeout }),
    ...(options.healthcheck === undefined
      ? {}
      : { Healthcheck: { Test: ['CMD-SHELL', options.healthcheck], Interval: 2e8, Timeout: 5e9, Retries: 3 } }),
    HostConfig: {
      Binds: [...(options.binds ?? [])],
      NetworkMode: 'none',
      AutoRemove: options.autoRemove ?? false,
    },
  };
}

/** An image of busybox alone, made here: no registry is needed. */
export async function testImage(raw: Docker, id: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-image-'));
  try {
    await mkdir(join(directory, 'tree/bin'), { recursive: true });
    await mkdir(join(directory, 'tree/tmp'));
    const { stdout } = await run('sh', ['-c', 'command -v busybox']);
    await copyFile(stdout.trim(), join(directory, 'tree/bin/busybox'));
    for (const name of ['sh', 'sleep', 'cat', 'test', 'echo', 'true', 'false', 'dd', 'sync', 'touch']) {
      await symlink('busybox', join(directory, 'tree/bin', name));
    }
    await run('tar', ['-C', join(directory, 'tree'), '-cf', join(directory, 'image.tar'), '.']);
    const tag = `holdfast-test:${id}`;
    const stream = await raw.importImage(join(directory, 'image.tar'), {
      repo: 'holdfast-test',
      tag: id,
      changes: 'ENV PATH=/bin',
    });
    await text(stream);
    return tag;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function removeLabelled(raw: Docker, id: string): Promise<void> {
  const left = await raw.listContainers({ all: true, filters: { label: [`${TEST_LABEL}=${id}`] } });
  await Promise.all(left.map((info) => ignoreMissing(raw.getContainer(info.Id).remove({ force: true, v: true }))));
}

async function removeLabelledVolumes(raw: Docker, id: string): Promise<void> {
  const { Volumes } = await raw.listVolumes({ filters: { label: [`${TEST_LABEL}=${id}`] } });
  for (const volume of Volumes) await ignoreMissing(raw.getVolume(volume.Name).remove({ force: true }));
}

async function ignoreMissing(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode !== 404) throw error;
  }
}
