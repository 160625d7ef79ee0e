/** Everyday words a requirement may name, and the small words that only fill a line. */

const content = `
acorn actor airport alarm album alley almond anchor angel ankle apple apron arch arm army arrow artist ash attic aunt autumn
baby badge bag baker ball balloon banana band bank barn barrel basket bat beach bean bear beard beast bed bee bell belt bench
berry bicycle bird biscuit blade blanket blossom board boat bone book boot border bottle bowl box boy branch bread breeze brick
bridge broom brother brush bucket bug builder bus bush butter button
cabin cable cage cake camel camera camp candle candy canoe canyon cap captain car card carpet carrot cart castle cat cave
ceiling chain chair chalk cheese cherry chess chest chicken child chimney church circle circus city class clay clerk cliff clock
cloth cloud clown club coach coast coat coffee coin comb comet compass cook copper coral corn corner cotton couch cousin cow
crab cradle crane crayon cream crew cricket crow crowd crown cup curtain cushion
dance dancer daughter dawn deer desert desk dial diamond dinner dish doctor dog doll dolphin donkey door dove dragon drawer
dream dress driver drum duck dusk dust
eagle ear earth echo egg elbow elephant engine evening eye
face factory falcon family fan farm farmer father feather fence fern ferry field finger fire fish flag flame flock floor flour
flower flute fog forest fork fox friend frog frost fruit
game garden garlic gate ghost giant gift giraffe girl glacier glass glove goat gold goose grain grandma grape grass gravel guard
guest guitar gull
hall hammer hand harbor harp hat hawk hay heart hedge helmet hen herb hero hill hive holiday honey hood hook horn horse hospital
hotel hour house hunter hut
ice igloo ink insect iron island ivy
jacket jam jar jewel joke journey judge juice jungle
kettle key king kitchen kite kitten knee knife knight knot
lace ladder lake lamb lamp lantern leaf leather lemon letter library light lily lime line lion lizard lock log lunch
magnet mail mango map maple marble market mask meadow meal medal melon metal milk mill mine mirror mist mitten monkey moon
morning moss moth mother motor mountain mouse mouth mud muffin museum mushroom music
nail napkin neck needle neighbor nest net night nose notebook number nurse nut
oak oar oasis ocean office oil olive onion orange orchard otter oven owl
page paint painter palace palm pan panda paper parade parcel park parrot path peach peanut pear pearl pebble pen pencil penguin
pepper piano picnic picture pie pig pigeon pillow pilot pine pipe pirate planet plant plate player plum pocket poem poet pond
pony porch postcard pot potato powder prince puddle pumpkin puppet puppy purse puzzle
queen quilt rabbit raccoon radio raft rail rain rainbow ranch raven recipe reef ribbon rice ring river road robin robot rock
rocket roof room rope rose ruby rug ruler
saddle sail sailor salad salt sand sandal saw scarf school scissors sea seal season seed shadow shark sheep shelf shell ship
shirt shoe shop shovel silk silver singer sister skate ski skirt sky sled snail snake snow soap sock sofa soldier song soup
spider spoon spring squirrel stable stage stair stamp star station statue steam stone store storm story stove straw stream
street string student sugar suitcase summer sun sunset swan sweater sword
table tailor tea teacher team tent theater thorn thread throne thumb thunder ticket tiger tile tin toast tomato tooth torch
tower town toy tractor trail train tray treasure tree truck trumpet tulip tunnel turkey turtle twig
umbrella uncle valley van vase village vine violin voice volcano wagon waiter wall walnut wasp watch water wave wax weather
web wedding well whale wheat wheel whistle willow wind window wing winter wire witch wizard wolf wood wool worm writer
yard yarn zebra zipper
angry brave bright broken calm clean clever cold cool cozy dark deep dirty dry early empty fast fresh funny gentle happy heavy
hungry kind late lazy long loud lucky narrow new old proud quick quiet rich round sad sharp short shy silent slow small smooth
soft sour strong sweet tall thin tiny tired warm weak wet wide wild wise young
black blue brown gray green pink purple red white yellow
asked baked bought broke brought built called carried caught chased climbed cooked danced drank drew drove fell flew followed
found gave grew heard held jumped kept laughed learned left lost made met opened painted played pulled pushed ran sang sat saw
sewed shone slept smiled sold stood swam told took walked washed watched woke wore worked wrote
`;

const filler = `
a about across after all alone along also always and another around as at away back because before behind below beside between
but by down each every few for from had has her here his in inside into is it its just like many more near never not of off on
once one only or our out outside over past same she so some soon still that the their them then there they this through to
together toward two under until up was we were when where while with without you your
`;

function list(text: string): string[] {
  return [...new Set(text.split(/\s+/).filter((word) => word !== ""))];
}

export const contentWords: readonly string[] = list(content);
export const fillerWords: readonly string[] = list(filler).filter((word) => !contentWords.includes(word));
