// Pages of other data than a whole run on MNIST.
'use strict';
const assert = require('assert');
const {still, state, text, pointAt, selected} = require('../actions.js');
const {vary, encode, decode, words, repeated} = require('../variants.js');

const MARKUP = '<img src=x onerror="window.hurt=1"><b>&amp;</b>';

// Opens a variant in a wide and a narrow window, and looks whether it says anything or runs over.
async function tryVariant(context, name, change, look = async () => {}) {
  const {target, remove} = vary(context.run.page, name, change),
    messages = context.browser.messages,
    before = messages.length;
  try {
    for (const viewport of [
      {width: 1500, height: 900},
      {width: 360, height: 780},
    ]) {
      const page = await context.open(target, {viewport});
      assert(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `runs over at ${viewport.width}`);
      await page.evaluate(() => selectPoint(0));
      assert.strictEqual(await state(page, 'point'), 0);
      if (viewport.width === 1500) await look(page);
      await page.context().close();
    }
    assert.deepStrictEqual(messages.slice(before), []);
  } finally {
    remove();
  }
}

const visible = (page, id) => page.locator(`#${id}`).isVisible();

function forgetOutputs(data) {
  for (const run of data.runs) {
    delete run.probabilities;
    delete run.attribution;
    for (const frame of run.frames) {
      delete frame.predictions;
      delete frame.confidence;
      delete frame.accuracy;
    }
  }
}

function forgetTraining(data) {
  for (const run of data.runs) {
    run.frames = [{...run.frames[run.frames.length - 1], epoch: -1}];
    run.curves = [];
    run.layers = [];
    delete run.layer;
  }
}

module.exports = {
  'a map alone: no images, labels, network, history, neighbors': context =>
    tryVariant(
      context,
      'bare',
      data => {
        forgetOutputs(data);
        forgetTraining(data);
        delete data.labels;
        delete data.sprite;
        data.classes = [];
        for (const run of data.runs) {
          delete run.neighbors;
          run.measures = run.facts = [];
          run.maps = ['map'];
          run.frames[0].maps.length = 1;
        }
      },
      async page => {
        for (const id of [
          'color-choice',
          'map-choice',
          'class-choice',
          'timeline',
          'next-error',
          'matrix-part',
          'measures-part',
          'training-part',
          'comparison',
        ]) {
          assert(!(await visible(page, id)), `${id} is shown`);
        }
        await pointAt(page, 5);
        assert((await state(page, 'hover')) >= 0);
        assert((await text(page, '#tip')).includes('#'));
        assert.strictEqual(await page.locator('#tip canvas').count(), 0);
        assert.strictEqual(await text(page, '#gallery-title'), 'Points');
      }
    ),

  'an embedding: images and labels, no network and no epochs': context =>
    tryVariant(
      context,
      'embedding',
      data => {
        forgetOutputs(data);
        forgetTraining(data);
      },
      async page => {
        assert(!(await visible(page, 'timeline')) && !(await visible(page, 'matrix-part')) && (await visible(page, 'legend')));
        assert(await visible(page, 'neighbors'));
        assert.strictEqual(await page.locator('#colors input').count(), 2);
      }
    ),

  'new images: predictions, no labels': context =>
    tryVariant(
      context,
      'unlabeled',
      data => {
        delete data.labels;
        for (const frame of data.runs[0].frames) delete frame.accuracy;
      },
      async page => {
        assert.strictEqual(await state(page, 'color'), 'prediction');
        assert(!(await visible(page, 'matrix-part')) && !(await visible(page, 'next-error')));
        assert((await text(page, '#verdict')).startsWith('predicted '));
        const chosen = await selected(page);
        await page.click('#legend [data-class="3"]');
        assert((await selected(page)).length < chosen.length);
      }
    ),

  'some points without a label': context =>
    tryVariant(
      context,
      'partly',
      data => {
        const labels = decode(data.labels);
        labels.fill(255, 0, 20);
        data.labels = encode(labels);
      },
      async page => {
        assert((await text(page, '#legend')).includes('none'));
        assert((await text(page, '#verdict')).startsWith('true none'));
        // Neither right nor wrong, wherever errors are counted, drawn, shown or walked through.
        const [classes, said] = await page.evaluate(() => [[...labels], [...dlvizReport.runs[0].last.predictions()]]),
          wrong = [...classes.keys()].filter(i => classes[i] !== 255 && said[i] !== classes[i]);
        assert(!(await text(page, '#verdict')).includes('wrong'));
        const of = (classes.length - 20).toLocaleString('en-US');
        assert((await text(page, '#headline')).includes(`errors ${wrong.length} of ${of}`), await text(page, '#headline'));
        assert.strictEqual(await text(page, '#gallery-count').then(parseFloat), wrong.length);
        await page.evaluate(() => {
          selectPoint(-1);
          setColor('errors');
        });
        assert((await text(page, '#inspector')).includes(`${wrong.length} of ${of} images are misclassified`));
        const drawn = await page.evaluate(() => [
          [...kinds.slice(0, 20)].every(kind => kind === GRAY),
          kinds.filter(kind => kind === WRONG).length,
        ]);
        assert.deepStrictEqual(drawn, [true, wrong.length]);
        await page.click('#next-error');
        assert.strictEqual(await state(page, 'point'), wrong[0]);
        const foreign = await page.evaluate(() => {
          const point = [...Array(n).keys()].find(i => i >= 20 && nearestOf(i).some(other => other < 20));
          if (point === undefined) return [];
          selectPoint(point);
          return [...document.querySelectorAll('#neighbors .off')].map(each => Number(each.dataset.point)).filter(i => i < 20);
        });
        assert.deepStrictEqual(foreign, []);
        await page.evaluate(() => setColor('neighbors'));
        assert(await page.evaluate(() => [...kinds.slice(0, 20)].every(kind => kind === GRAY)));
      }
    ),

  'names keep their direction to themselves': context =>
    tryVariant(
      context,
      'directions',
      data => {
        data.title = 'left \u202eright';
        data.classes = data.classes.map((name, c) => (c % 2 ? `\u202e${name}\u2066` : `${'אבגדהוזחטי'[c]}ש`));
        data.names = [...Array(data.n).keys()].map(i => (i % 2 ? `\u200f\u2069a/${i}.png` : `ד/${i}.png`));
        for (const run of data.runs) run.name = '\u2067x';
      },
      async page => {
        const all = await page.evaluate(() => document.body.innerText + [...document.querySelectorAll('[title]')].map(each => each.title));
        assert(!/[\u061c\u200e\u200f\u202a-\u202e\u2066\u2067]/.test(all));
        assert.strictEqual(await text(page, 'h1'), 'left right: x');
        // The true class stands to the left of the arrow, as a browser sets the line.
        const places = await page.evaluate(() => {
          const line = document.createElement('p'),
            node = document.createTextNode(`${className(0)} → ${className(2)}`);
          line.append(node);
          document.body.append(line);
          const at = letter => {
            const range = document.createRange();
            range.setStart(node, node.data.indexOf(letter));
            range.setEnd(node, node.data.indexOf(letter) + 1);
            return range.getBoundingClientRect().left;
          };
          const found = [at('א'), at('→'), at('ג')];
          line.remove();
          return found;
        });
        assert(places[0] < places[1] && places[1] < places[2], String(places));
        for (const wanted of ['ד/4', '\u200fa/3']) {
          await page.fill('#wanted', wanted);
          await page.press('#wanted', 'Enter');
          assert((await state(page, 'point')) > 0);
        }
      }
    ),

  'names and titles are text, never markup': context =>
    tryVariant(
      context,
      'markup',
      data => {
        data.title = MARKUP;
        data.classes = data.classes.map((name, c) => `${MARKUP}${c}`);
        data.names = [...Array(data.n).keys()].map(i => `${MARKUP}/${i}</script>.png`);
        for (const run of data.runs) {
          run.name = MARKUP;
          run.facts = [[MARKUP, MARKUP]];
          for (const part of [...run.curves, ...run.measures, ...run.layers]) part.name = MARKUP + part.name;
          run.maps = run.maps.map(name => name + MARKUP);
        }
      },
      async page => {
        assert.strictEqual(await page.evaluate('window.hurt'), undefined);
        assert.strictEqual(await page.locator('main img, header img, main b b').count(), 0);
        assert((await text(page, 'h1')).includes(MARKUP) && (await text(page, '#inspector')).includes(`${MARKUP}/0</script>.png`));
        await pointAt(page, 5);
        assert((await text(page, '#tip')).includes('<img'));
      }
    ),

  'no images: inputs, not pixels': context =>
    tryVariant(
      context,
      'inputs',
      data => {
        delete data.sprite;
        delete data.runs[0].attribution;
      },
      async page => {
        const shown = await text(page, '#measures-part');
        assert(shown.includes('inputs') && !/pixel/i.test(shown), shown);
        await page.click('.help summary');
        assert(!(await text(page, '.keys')).includes('pictures'));
      }
    ),

  'an accuracy is counted, whatever the data say': context =>
    tryVariant(
      context,
      'accuracy',
      data => {
        for (const frame of data.runs[0].frames) frame.accuracy = 0.123;
      },
      async page => {
        const shown = `${(100 * context.run.accuracy).toFixed(2)}\u00a0%`;
        assert((await text(page, '#headline')).includes(shown));
        if (await visible(page, 'timeline')) assert((await text(page, '#epoch-text')).includes(shown));
      }
    ),

  'a measure of its own has its own meaning': context =>
    tryVariant(
      context,
      'meaning',
      data => {
        data.runs[0].measures = [
          {name: 'test accuracy', unit: '%', value: 99, untrained: null, pixels: null, meaning: 'Mine <b>alone</b>.'},
          {name: 'purity', unit: '', value: 0.5, untrained: null, pixels: null, meaning: 'How pure it is.'},
          {name: 'test loss', unit: '', value: 0.5, untrained: null, pixels: null},
        ];
      },
      async page =>
        assert.deepStrictEqual(await page.locator('#measures td.meaning').allInnerTexts(), [
          'Mine <b>alone</b>.',
          'How pure it is.',
          'What training lowers; less is better.',
        ])
    ),

  'curves of percentages end at 100, and what is always 100 is left out': context =>
    tryVariant(
      context,
      'curves',
      data => {
        const curve = (panel, name, y) => ({panel, name, x: [1, 2, 3], y});
        data.runs[0].curves = [
          curve('accuracy', 'training', [1, 1, 1]),
          curve('top9 accuracy', 'training', [0.9, 1, 1]),
          curve('top10 accuracy', 'training', [1, 1, 1]),
          curve('top-12 accuracy', 'training', [1, 1, 1]),
        ];
      },
      async page => {
        assert.deepStrictEqual(await page.locator('#curves h3').allInnerTexts(), ['accuracy', 'top9 accuracy']);
        const ticks = await page.locator('#curves text').allTextContents(),
          shares = ticks.filter(each => each.includes('%')).map(parseFloat);
        assert(shares.length >= 4 && Math.max(...shares) === 100 && Math.min(...shares) >= 0, ticks.join());
      }
    ),

  'no number is too large or too small for its curve': context =>
    tryVariant(
      context,
      'numbers',
      data => {
        const curve = (panel, name, y, x = [1, 2, 3]) => ({panel, name, x, y});
        data.runs[0].curves = [
          curve('loss', 'training', [1e308, -1e308, 0]),
          curve('loss', 'validation', [1.79769313e308, 1, -1.79769313e308]),
          curve('error', 'training', [1e308, 1e308, 1e308]),
          curve('learning rate', 'training', [1e308, 1, 1e-308]),
          curve('tiny', 'training', [5e-324, 0, 1e-310], [-1e308, 2, 1e308]),
        ];
      },
      async page => {
        const places = await page.evaluate(() =>
          [...document.querySelectorAll('#curves circle')].map(dot => [Number(dot.getAttribute('cx')), Number(dot.getAttribute('cy'))])
        );
        assert.strictEqual(places.length, 15);
        for (const [x, y] of places) assert(x >= 0 && x <= 900 && y >= 0 && y <= 142, `${x}, ${y}`);
        const paths = await page.evaluate(() => [...document.querySelectorAll('#curves path')].map(path => path.getAttribute('d')));
        for (const path of paths) assert(!/NaN|Infinity/.test(path), path);
      }
    ),

  'names of classes can be read in the matrix and on cards': context =>
    tryVariant(
      context,
      'legible',
      data => {
        data.classes = ['T-shirt', 'bag', 'boot', 'coat', 'dress', 'pullover', 'sandal', 'shirt', 'sneaker', 'trouser'];
      },
      async page => {
        const cut = await page.evaluate(() =>
          [...document.querySelectorAll('.matrix th .two-lines, #gallery small')]
            .filter(each => each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight + 1)
            .map(each => each.textContent)
        );
        assert.deepStrictEqual(cut, []);
        assert((await page.locator('#gallery small').allInnerTexts()).some(each => each.startsWith('→ ')));
      }
    ),

  'finding by a part of a name': context =>
    tryVariant(
      context,
      'names',
      data => {
        data.names = [...Array(data.n).keys()].map(i => `${['cats', 'dogs'][i % 2]}/${i}.png`);
      },
      async page => {
        for (const [wanted, found] of [
          ['DOGS/1', 1],
          ['DOGS/1', 11],
          ['dogs/1', 13],
          ['14', 14],
          ['cats/400', 400],
        ]) {
          await page.fill('#wanted', wanted);
          await page.press('#wanted', 'Enter');
          assert.strictEqual(await state(page, 'point'), found);
        }
        await page.fill('#wanted', 'birds');
        await page.press('#wanted', 'Enter');
        assert.strictEqual(await text(page, '#status'), 'No image has that number or name.');
      }
    ),

  '200 classes: a list of confusions, a legend that scrolls': context =>
    tryVariant(
      context,
      'classes',
      data => manyClasses(data, 200),
      async page => {
        assert.strictEqual(await page.locator('.matrix').count(), 0);
        assert(
          await page.evaluate(() => document.getElementById('legend').scrollHeight > document.getElementById('legend').clientHeight)
        );
        const line = page.locator('#matrix .list button').first(),
          count = Number(await line.locator('b').innerText());
        await line.click();
        const chosen = await selected(page),
          [truth, said] = await state(page, 'cell');
        assert.strictEqual(chosen.length, count);
        const classes = await page.evaluate(() => [[...labels], [...dlvizReport.runs[0].last.predictions()]]);
        for (const i of chosen) assert(classes[0][i] === truth && classes[1][i] === said);
        assert.strictEqual(await page.locator('#probabilities .name').count(), 5);
        const shapes = await page.evaluate(
          () =>
            new Set([...document.querySelectorAll('#legend path')].map(each => each.getAttribute('d') + each.getAttribute('fill')))
              .size
        );
        assert(shapes >= 100, `${shapes} kinds of marks`);
      }
    ),

  '60 classes: a matrix that scrolls': context =>
    tryVariant(
      context,
      'matrix',
      data => manyClasses(data, 60),
      async page => {
        assert.strictEqual(await page.locator('.matrix tbody tr').count(), 60);
        assert(
          await page.evaluate(() => document.getElementById('matrix').scrollWidth > document.getElementById('matrix').clientWidth)
        );
        const total = await page.evaluate(() =>
          [...document.querySelectorAll('.matrix td button')].reduce(
            (sum, cell) => sum + Number(cell.textContent.replace(/\D/g, '')),
            0
          )
        );
        assert.strictEqual(total, await page.evaluate('dlvizReport.standing.length'));
      }
    ),

  '300 classes in 16 bits': context =>
    tryVariant(
      context,
      'wide',
      data => {
        manyClasses(data, 300);
        data.wide = true;
        const widen = text => encode(Uint16Array.from(decode(text), value => value + 40));
        data.labels = widen(data.labels);
        data.runs[0].probabilities.classes = widen(data.runs[0].probabilities.classes);
        for (const frame of data.runs[0].frames) frame.predictions = widen(frame.predictions);
      },
      async page => assert((await text(page, '#verdict')).includes('kind '))
    ),

  '70,000 points, of which some have images': context =>
    tryVariant(context, 'many', manyPoints, async page => {
      assert.strictEqual(await page.evaluate('dlvizReport.standing.length'), 70000);
      const time = await page.evaluate(() => {
        dlvizReport.frameTimes.length = 0;
        for (let k = 0; k < 20; k++) dlvizReport.draw();
        return dlvizReport.frameTimes.sort((a, b) => a - b)[10];
      });
      console.log(
        `   70,000 points: ready after ${(await page.evaluate('window.ready')).toFixed(0)} ms, a frame in ${time.toFixed(1)} ms`
      );
      await page.evaluate(() => selectPoint(69999));
      assert((await text(page, '#inspector')).includes('not kept'));
      assert.strictEqual(await page.locator('#neighbors button').count(), await page.evaluate('dlvizReport.runs[0].numNearest'));
    }),

  'points so far out that they lie at the border are told of': context =>
    tryVariant(
      context,
      'outside',
      data => {
        for (const frame of data.runs[0].frames) frame.outside = [3, 0];
      },
      async page => {
        assert((await text(page, '#outside')).startsWith('3 points so far out'));
        await page.locator('input[name="map"]').nth(1).click();
        await still(page);
        assert.strictEqual(await text(page, '#outside'), '');
      }
    ),
};

// Each class becomes several: classes of 8 bits, the five most probable.
function manyClasses(data, count) {
  const spread = Math.floor(Math.min(count, 250) / 10),
    run = data.runs[0],
    n = data.n,
    k = run.probabilities.k;
  const split = text => encode(Uint8Array.from(decode(text), (c, i) => c * spread + ((i * 7 + (i >> 3)) % spread)));
  data.classes = [...Array(count).keys()].map(c => (c % 9 ? `kind ${c}` : `a kind with a long name that goes on and on, ${c}`));
  const values = decode(run.probabilities.values),
    top = new Uint8Array(5 * n),
    classes = new Uint8Array(5 * n);
  for (let i = 0; i < n; i++) {
    const order = [...Array(k).keys()].sort((a, b) => values[i * k + b] - values[i * k + a]).slice(0, 5);
    order.forEach((c, place) => {
      top[5 * i + place] = values[i * k + c];
      classes[5 * i + place] = c * spread;
    });
  }
  run.probabilities = {k: 5, values: encode(top), classes: encode(classes)};
  data.labels = split(data.labels);
  for (const frame of run.frames) frame.predictions = split(frame.predictions);
}

function manyPoints(data) {
  const n = 70000,
    run = data.runs[0],
    before = data.n,
    k = run.neighbors.k,
    moved = (value, round) => Math.max(0, Math.min(65535, value + 97 * round));
  const shown = [...Array(data.sprite.count).keys()];
  data.sprite.points = data.sprite.points || encode(Uint32Array.from(shown));
  data.n = n;
  data.labels = repeated(data.labels, Uint8Array, n, 1);
  for (const frame of run.frames) {
    frame.maps = frame.maps.map(map => repeated(map, Uint16Array, n, 2, moved));
    frame.predictions = repeated(frame.predictions, Uint8Array, n, 1);
    frame.confidence = repeated(frame.confidence, Uint8Array, n, 1);
  }
  run.probabilities.values = repeated(run.probabilities.values, Uint8Array, n, run.probabilities.k);
  const nearest = run.neighbors.wide ? new Uint32Array(decode(run.neighbors.indices).buffer) : words(run.neighbors.indices),
    all = new Uint32Array(n * k);
  for (let i = 0; i < all.length; i++) all[i] = (nearest[i % nearest.length] + before * Math.floor(i / nearest.length)) % n;
  run.neighbors = {k, wide: true, indices: encode(all)};
}
