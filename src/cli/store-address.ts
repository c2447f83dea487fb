/** Stores named on a command line or on paper, without credentials: those come from where each kind's programs look. */
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { STORE_DEFAULTS } from '../system/store-schema.ts';
import type { StoreAddress, StoreConfig } from '../system/types.ts';
import type { KitStore } from '../vault/index.ts';

/** How each kind is written, and where its credentials come from then. */
const FORMS = {
  s3: {
    example: 's3://bucket/prefix, with ?endpoint=https://… for a server that is not AWS',
    credentials: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  },
  gs: { example: 'gs://bucket/prefix', credentials: 'GOOGLE_APPLICATION_CREDENTIALS' },
  azure: {
    example: 'azure://account/container/prefix',
    credentials: 'AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN',
  },
  sftp: {
    example: 'sftp://user@host/path?hostKey=SHA256:…',
    credentials: 'HOLDFAST_SFTP_KEY_FILE, HOLDFAST_SFTP_PASSWORD or an SSH agent',
  },
} as const;

type Scheme = keyof typeof FORMS;

/**
 * `/path`, `s3://bucket/prefix?endpoint=…&region=…&pathStyle=true`, `gs://bucket/prefix?endpoint=…`,
 * `azure://account/container/prefix?endpoint=…` or `sftp://user@host:port/path?hostKey=SHA256:…`.
 * Throws BadInput, which never repeats credentials.
 */
export function parseStore(place: string): KitStore {
  const [, scheme] = /^([a-z0-9]+):\/\//.exec(place) ?? [];
  if (scheme === undefined) return { kind: 'directory', path: path.resolve(place) };
  if (!isScheme(scheme)) {
    const known = Object.values(FORMS).map(({ example }) => example);
    throw new HoldfastError('BadInput', `there are no stores of the kind ${scheme}://`, {
      hint: `Write a directory, ${known.join('; ')}.`,
    });
  }
  const url = parseUrl(place, scheme);
  const whole = { prefix: url.pathname.replace(/^\/+|\/+$/g, ''), endpoint: url.searchParams.get('endpoint') };
  const endpoint = whole.endpoint === null ? {} : { endpoint: whole.endpoint };
  switch (scheme) {
    case 's3':
      return {
        kind: 's3',
        bucket: url.hostname,
        prefix: whole.prefix,
        region: url.searchParams.get('region') ?? process.env['AWS_REGION'] ?? 'us-east-1',
        pathStyle: pathStyleOf(url),
        ...endpoint,
      };
    case 'gs':
      return { kind: 'gcs', bucket: url.hostname, prefix: whole.prefix, ...endpoint };
    case 'azure': {
      const [container = '', ...prefix] = whole.prefix.split('/');
      if (container === '') throw wrongForm(scheme, place);
      return { kind: 'azure', account: url.hostname, container, prefix: prefix.join('/'), ...endpoint };
    }
    case 'sftp':
      return sftpStore(url, place);
  }
}

function isScheme(text: string): text is Scheme {
  return Object.hasOwn(FORMS, text);
}

function parseUrl(place: string, scheme: Scheme): URL {
  let url: URL;
  try {
    url = new URL(place);
  } catch {
    throw wrongForm(scheme, place);
  }
  const named = scheme === 'sftp' ? url.password : url.username + url.password;
  if (named !== '') {
    throw new HoldfastError('BadInput', `the address of a store holds no credentials`, {
      hint: `Set ${FORMS[scheme].credentials} instead.`,
    });
  }
  if (url.hostname === '') throw wrongForm(scheme, place);
  return url;
}

function pathStyleOf({ searchParams }: URL): boolean {
  const said = searchParams.get('pathStyle');
  return said === null ? searchParams.has('endpoint') : said === 'true';
}

function sftpStore(url: URL, place: string): KitStore {
  // A fingerprint is base64, whose plus a query takes for a space.
  const hostKey = (url.searchParams.get('hostKey') ?? '').replaceAll(' ', '+');
  if (url.username === '' || !/^SHA256:[A-Za-z0-9+/]{43}$/.test(hostKey)) throw wrongForm('sftp', place);
  return {
    kind: 'sftp',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? STORE_DEFAULTS.sftpPort : Number(url.port),
    user: decodeURIComponent(url.username),
    path: decodeURIComponent(url.pathname),
    hostKey,
  };
}

function wrongForm(scheme: Scheme, place: string): HoldfastError {
  const shown = place.split('?')[0]?.replace(/\/\/[^/]*@/, '//…@') ?? '';
  return new HoldfastError('BadInput', `${shown} is no address of a store`, {
    hint: `Write ${FORMS[scheme].example}.`,
  });
}

/** What goes on the page of the recovery kit. */
export function kitStore(config: StoreConfig): KitStore {
  switch (config.kind) {
    case 'directory':
      return { kind: 'directory', path: config.path };
    case 's3': {
      const { kind, bucket, prefix, region, pathStyle } = config;
      return { kind, bucket, prefix, region, pathStyle, ...endpointOf(config) };
    }
    case 'gcs': {
      const { kind, bucket, prefix } = config;
      return { kind, bucket, prefix, ...endpointOf(config) };
    }
    case 'azure': {
      const { kind, account, container, prefix } = config;
      return { kind, account, container, prefix, ...endpointOf(config) };
    }
    case 'sftp': {
      const { kind, host, port, user, path: directory, hostKey } = config;
      return { kind, host, port, user, path: directory, hostKey };
    }
  }
}

function endpointOf({ endpoint }: { readonly endpoint?: string }): { endpoint?: string } {
  return endpoint === undefined ? {} : { endpoint };
}

/**
 * How to open what a kit or an address names. A bucket without a prefix means what it means in a system file: the vault
 * lies under the system's name.
 */
export function storeAddress(name: string, system: string, store: KitStore): StoreAddress {
  switch (store.kind) {
    case 'directory':
      return { name, ...store, mustBeMounted: false };
    case 's3': {
      const { kind, bucket, region, pathStyle } = store;
      return { name, kind, bucket, region, pathStyle, prefix: store.prefix || system, ...endpointOf(store) };
    }
    case 'gcs':
      return { name, kind: 'gcs', bucket: store.bucket, prefix: store.prefix || system, ...endpointOf(store) };
    case 'azure': {
      const { kind, account, container } = store;
      const login = present({ accountKey: 'AZURE_STORAGE_KEY', sasToken: 'AZURE_STORAGE_SAS_TOKEN' });
      return { name, kind, account, container, prefix: store.prefix || system, ...endpointOf(store), ...login };
    }
    case 'sftp': {
      const file = process.env['HOLDFAST_SFTP_KEY_FILE'];
      const key = file === undefined ? {} : { privateKey: { file: path.resolve(file) } };
      return { name, ...store, ...key, ...present({ password: 'HOLDFAST_SFTP_PASSWORD' }) };
    }
  }
}

/** References to those variables that are set. */
function present(variables: Readonly<Record<string, string>>): Record<string, { env: string }> {
  const set = Object.entries(variables).filter(([, variable]) => process.env[variable] !== undefined);
  return Object.fromEntries(set.map(([field, variable]) => [field, { env: variable }]));
}
