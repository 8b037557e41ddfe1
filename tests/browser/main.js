// main.js PACKAGES CHROMIUM IMAGES INDEX FOLDER … [-- NAME …] - opens the pages of runs in Chromium, uses everything they have,
// and compares what is seen with the runs' own files. INDEX is a page of all runs, or "-". Names select cases by a part of theirs.
// The last line counts the cases as Check does, for support/count.py.
'use strict';
const assert = require('assert');
const {Browser} = require('./browser.js');
const {readImages} = require('./files.js');
const {Truth} = require('./truth.js');

const MODULES = [
  'map',
  'point',
  'selection',
  'lasso',
  'gallery',
  'epochs',
  'tables',
  'comparison',
  'address',
  'keyboard',
  'looks',
  'variants',
  'safety',
];

async function runCase(context, name, test, totals) {
  const pages = [];
  const open = context.browser.open.bind(context.browser);
  const own = {
    ...context,
    open: async (file, options) => {
      const page = await open(file || context.run.page, options);
      pages.push(page);
      return page;
    },
  };
  try {
    await test(own);
    console.log(`ok: ${name}`);
  } catch (error) {
    if (error.skips) {
      console.log(`SKIP: the report in a browser: ${name}: ${error.message}`);
    } else {
      totals.failures++;
      console.log(`FAILED: ${name}\n${error.stack}`);
    }
  }
  totals.checks++;
  for (const page of pages) await page.context().close();
}

async function main() {
  const split = process.argv.includes('--') ? process.argv.indexOf('--') : process.argv.length;
  const [packages, executable, images, index, ...folders] = process.argv.slice(2, split),
    wanted = process.argv.slice(split + 1);
  const runs = folders.map(folder => new Truth(folder)),
    totals = {checks: 0, failures: 0};
  assert(runs.length > 0, 'no folder of a run');
  const browser = await Browser.start(packages, executable);
  const context = {browser, runs, run: runs[runs.length - 1], images: readImages(images), index: index === '-' ? null : index};
  for (const module of MODULES) {
    const cases = require(`./cases/${module}.js`);
    for (const [name, test] of Object.entries(cases)) {
      if (wanted.length === 0 || wanted.some(part => `${module}: ${name}`.includes(part))) {
        await runCase(context, `${module}: ${name}`, test, totals);
      }
    }
  }
  await browser.close();
  console.log(
    `${Math.floor((100 * (totals.checks - totals.failures)) / Math.max(totals.checks, 1))}%: Checks: ${totals.checks}, ` +
      `Failures: ${totals.failures}, Errors: 0`
  );
  return totals.failures === 0 && totals.checks > 0 ? 0 : 1;
}

main().then(
  status => process.exit(status),
  error => {
    console.log(error.stack);
    process.exit(1);
  }
);
