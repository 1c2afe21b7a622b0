// What the single executable runs first: it keeps foreign settings out, as the launcher of the packages does, and then
// starts the program, or the daemon, from the bundles that it carries. NODE_OPTIONS never had a say (sea.ts).
'use strict';
// Those that Node notes before anything of ours runs: other authorities, and what it is to print (the key, in a header).
const NOTED = ['NODE_EXTRA_CA_CERTS', 'NODE_DEBUG'];
const FOREIGN = ['NODE_OPTIONS', 'NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_PATH'];

// Only a process that never saw them trusts, and tells, no more than it should.
if (NOTED.some((name) => process.env[name] !== undefined) && process.execve) {
  const env = { ...process.env };
  for (const name of NOTED) delete env[name];
  const flags = process.execArgv.length > 0 ? [`--node-options=${process.execArgv.join(' ')}`] : [];
  process.execve(process.execPath, [process.argv0, ...flags, ...process.argv.slice(2)], env);
}
for (const name of FOREIGN) delete process.env[name];

// Not before: NODE_DEBUG has Node tell of each.
const { getAsset } = require('node:sea');
const { compileFunction } = require('node:vm');

/** Runs a bundle, and returns what it exports. */
function load(name) {
  const module = { exports: {} };
  compileFunction(getAsset(name, 'utf8'), ['exports', 'require', 'module'], { filename: name })(module.exports, require, module);
  return module.exports;
}

// The two words that no verb has (src/support/self.ts).
const word = process.argv[2];
if (word === 'daemon-process') {
  process.argv.splice(2, 1);
  load('daemon.cjs');
} else if (word !== 'nothing') {
  load('program.cjs').main(process.argv.slice(2));
}
