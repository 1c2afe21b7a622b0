import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fetched } from './fetched.ts';

/** An object of Kubernetes, as a manifest has it. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: a tree as deep as the API.
  [field: string]: any;
}

type Validate = ((data: unknown) => boolean) & { errors?: { instancePath: string; keyword: string; params: object }[] };

const FORMATS = `
const any = () => true;
any.test = any.validate = any;
const quantity = { validate: /^[+-]?(\\d+|\\d+\\.\\d*|\\.\\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\\d+)?$/ };
export const formats = new Proxy({ quantity }, { get: (known, name) => known[name] ?? any });
`;

/** The schemas' names of the groups that are used here. */
const GROUPS: Record<string, string> = {
  v1: 'CoreV1',
  'apps/v1': 'AppsV1',
  'networking.k8s.io/v1': 'NetworkingV1',
};

/**
 * What the published schemas have against an object: wrong types, missing fields, and fields that they do not know, which
 * the API server would drop in silence. Empty where it is in order.
 */
export async function faultsOf(manifest: Manifest): Promise<string[]> {
  const group = GROUPS[manifest.apiVersion];
  if (!group) return [`no schema of ${manifest.apiVersion} is known here`];
  const { validate } = (await import(await moduleOf(`IoK8sApi${group}${manifest.kind}`))) as { validate: Validate };
  const looked = new Set<string>();
  const fits = validate(watched(manifest, '', looked));
  const wrong = fits ? [] : (validate.errors ?? []).map((one) => `${one.instancePath}: ${one.keyword} ${JSON.stringify(one.params)}`);
  return [
    ...wrong,
    ...fields(manifest, '')
      .filter((path) => !looked.has(path))
      .map((path) => `${path}: not in the schema`),
  ];
}

async function moduleOf(name: string): Promise<string> {
  const models = fetched('kubernetes-models');
  fetched('@kubernetes-models/apimachinery');
  // The one thing that the schemas ask of the library around them: formats. Those of numbers their types imply.
  const stub = join(dirname(models), '@kubernetes-models/validate');
  mkdirSync(stub, { recursive: true });
  writeFileSync(join(stub, 'package.json'), '{"type":"module","exports":"./index.js"}');
  writeFileSync(join(stub, 'index.js'), FORMATS);
  return pathToFileURL(join(models, `_schemas/${name}.js`)).href;
}

/** A view that notes which fields the validator looks at: it knows no others. */
function watched<T>(value: T, path: string, looked: Set<string>): T {
  if (value === null || typeof value !== 'object') return value;
  return new Proxy(value, {
    get(target, key) {
      const found = Reflect.get(target, key);
      if (typeof key !== 'string' || !Object.hasOwn(target, key)) return found;
      looked.add(`${path}/${key}`);
      return watched(found, `${path}/${key}`, looked);
    },
  });
}

function fields(value: unknown, path: string): string[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, one]) => [`${path}/${key}`, ...fields(one, `${path}/${key}`)]);
}
