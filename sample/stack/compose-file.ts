/** Reads the few things that the samples' Compose files use, into what the Engine API wants. Pure. */
import { join } from 'node:path';
import type Docker from 'dockerode';
import { parse } from 'yaml';
import { SAMPLE_LABEL } from './labels.ts';

interface ComposeService {
  readonly image: string;
  readonly command?: string[];
  readonly environment?: Record<string, string | number>;
  readonly volumes?: string[];
  readonly ports?: string[];
  readonly stop_signal?: string;
  readonly healthcheck?: {
    readonly test: string[];
    readonly interval: string;
    readonly timeout: string;
    readonly retries: number;
  };
  readonly depends_on?: Record<string, { readonly condition: string }>;
}

export interface ComposeFile {
  readonly name: string;
  readonly services: Record<string, ComposeService>;
  readonly volumes?: Record<string, { readonly name?: string } | null>;
}

/** Where a project lies. */
export interface ComposePlace {
  /** Absolute; what relative paths of the file start from. */
  readonly directory: string;
  /** Default docker-compose.yml. */
  readonly file?: string;
}

/** Puts `${NAME}`, `${NAME-default}` and `${NAME:-default}` in; throws when one has no value. */
export function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(
    /\$\{([A-Z_]+)(?:(:?-)([^}]*))?\}/g,
    (_, name: string, how: string | undefined, other: string | undefined) => {
      const value = values[name];
      if (value !== undefined && (value !== '' || how !== ':-')) return value;
      if (other === undefined) throw new Error(`the Compose file wants a value for ${name}`);
      return other;
    },
  );
}

export function readCompose(text: string): ComposeFile {
  return parse(text) as ComposeFile;
}

function nanoseconds(text: string): number {
  return Number(text.replace(/s$/, '')) * 1_000_000_000;
}

/** The labels by which Compose, and Holdfast, know a project's containers. */
function composeLabels(file: ComposeFile, service: string, place: ComposePlace): Record<string, string> {
  const needs = Object.entries(file.services[service]?.depends_on ?? {});
  return {
    [SAMPLE_LABEL]: 'container',
    'com.docker.compose.project': file.name,
    'com.docker.compose.service': service,
    'com.docker.compose.container-number': '1',
    'com.docker.compose.oneoff': 'False',
    'com.docker.compose.project.working_dir': place.directory,
    'com.docker.compose.project.config_files': join(place.directory, place.file ?? 'docker-compose.yml'),
    'com.docker.compose.depends_on': needs.map(([name, { condition }]) => `${name}:${condition}:true`).join(','),
  };
}

/** Services so that each comes after what it depends on. */
export function startOrder(file: ComposeFile): string[] {
  const order: string[] = [];
  const visit = (service: string, above: readonly string[]): void => {
    if (above.includes(service)) throw new Error(`${service} depends on itself`);
    if (order.includes(service)) return;
    for (const need of Object.keys(file.services[service]?.depends_on ?? {})) visit(need, [...above, service]);
    order.push(service);
  };
  for (const service of Object.keys(file.services)) visit(service, []);
  return order;
}

/** The engine's name of a volume of the file, as Compose makes it. */
export function volumeName(file: ComposeFile, volume: string): string {
  return file.volumes?.[volume]?.name ?? `${file.name}_${volume}`;
}

function bindOf(file: ComposeFile, written: string, { directory }: ComposePlace): string {
  const [source = '', ...rest] = written.split(':');
  const isPath = source.startsWith('.') || source.startsWith('/');
  const from = source.startsWith('.') ? join(directory, source) : source;
  return [isPath ? from : volumeName(file, source), ...rest].join(':');
}

export function containerOptions(
  file: ComposeFile,
  service: string,
  place: ComposePlace,
  network: string,
): Docker.ContainerCreateOptions {
  const wanted = file.services[service];
  if (wanted === undefined) throw new Error(`no service ${service}`);
  const ports = (wanted.ports ?? []).map((port) => port.split(':'));
  const health = wanted.healthcheck;
  return {
    name: `${file.name}-${service}-1`,
    Image: wanted.image,
    ...(wanted.command === undefined ? {} : { Cmd: wanted.command }),
    ...(wanted.stop_signal === undefined ? {} : { StopSignal: wanted.stop_signal }),
    Env: Object.entries(wanted.environment ?? {}).map(([name, value]) => `${name}=${value}`),
    Labels: composeLabels(file, service, place),
    ExposedPorts: Object.fromEntries(ports.map(([, , container]) => [`${container ?? ''}/tcp`, {}])),
    StopTimeout: 10,
    ...(health === undefined
      ? {}
      : {
          Healthcheck: {
            Test: health.test,
            Interval: nanoseconds(health.interval),
            Timeout: nanoseconds(health.timeout),
            Retries: health.retries,
          },
        }),
    HostConfig: {
      Binds: (wanted.volumes ?? []).map((written) => bindOf(file, written, place)),
      NetworkMode: network,
      RestartPolicy: { Name: 'no' },
      Init: false,
      PortBindings: Object.fromEntries(
        ports.map(([address, host, container]) => [`${container ?? ''}/tcp`, [{ HostIp: address, HostPort: host }]]),
      ),
    },
    NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [service] } } },
  };
}
