/** Reads the few things that the sample's Compose file uses, into what the Engine API wants. Pure. */
import type Docker from 'dockerode';
import { parse } from 'yaml';
import { SAMPLE_LABEL } from './labels.ts';

interface ComposeService {
  readonly image: string;
  readonly command: string[];
  readonly environment: Record<string, string | number>;
  readonly volumes: string[];
  readonly ports: string[];
  readonly healthcheck: {
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
  readonly volumes: Record<string, { readonly name: string }>;
}

/** Puts `${NAME}` in; throws when one has no value. */
export function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{([A-Z_]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`the Compose file wants a value for ${name}`);
    return value;
  });
}

export function readCompose(text: string): ComposeFile {
  return parse(text) as ComposeFile;
}

function nanoseconds(text: string): number {
  return Number(text.replace(/s$/, '')) * 1_000_000_000;
}

/** The labels by which Compose, and Holdfast, know a project's containers. */
function composeLabels(file: ComposeFile, service: string, directory: string): Record<string, string> {
  const needs = Object.entries(file.services[service]?.depends_on ?? {});
  return {
    [SAMPLE_LABEL]: 'container',
    'com.docker.compose.project': file.name,
    'com.docker.compose.service': service,
    'com.docker.compose.container-number': '1',
    'com.docker.compose.oneoff': 'False',
    'com.docker.compose.project.working_dir': directory,
    'com.docker.compose.project.config_files': `${directory}/docker-compose.yml`,
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

export function containerOptions(
  file: ComposeFile,
  service: string,
  directory: string,
  network: string,
): Docker.ContainerCreateOptions {
  const wanted = file.services[service];
  if (wanted === undefined) throw new Error(`no service ${service}`);
  const ports = wanted.ports.map((port) => port.split(':'));
  const binds = wanted.volumes.map((volume) => {
    const [source = '', target = ''] = volume.split(':');
    return `${file.volumes[source]?.name ?? source}:${target}`;
  });
  return {
    name: `${file.name}-${service}-1`,
    Image: wanted.image,
    Cmd: wanted.command,
    Env: Object.entries(wanted.environment).map(([name, value]) => `${name}=${value}`),
    Labels: composeLabels(file, service, directory),
    ExposedPorts: Object.fromEntries(ports.map(([, , container]) => [`${container ?? ''}/tcp`, {}])),
    StopTimeout: 10,
    Healthcheck: {
      Test: wanted.healthcheck.test,
      Interval: nanoseconds(wanted.healthcheck.interval),
      Timeout: nanoseconds(wanted.healthcheck.timeout),
      Retries: wanted.healthcheck.retries,
    },
    HostConfig: {
      Binds: binds,
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
