"""The emoji that chats use most, by Slack's names; from the names of the Unicode CLDR and Slack's aliases."""

from __future__ import annotations

# ruff: noqa: RUF001 - ambiguous characters are what a table of emoji is made of

_PLAIN = """
grinning 😀 smiley 😃 smile 😄 grin 😁 laughing 😆 satisfied 😆 sweat_smile 😅 rolling_on_the_floor_laughing 🤣
rofl 🤣 joy 😂 slightly_smiling_face 🙂 simple_smile 🙂 upside_down_face 🙃 melting_face 🫠 wink 😉 blush 😊
innocent 😇 smiling_face_with_3_hearts 🥰 heart_eyes 😍 star-struck 🤩 kissing_heart 😘 kissing 😗 relaxed ☺️
kissing_closed_eyes 😚 kissing_smiling_eyes 😙 smiling_face_with_tear 🥲 yum 😋 stuck_out_tongue 😛
stuck_out_tongue_winking_eye 😜 zany_face 🤪 stuck_out_tongue_closed_eyes 😝 money_mouth_face 🤑 hugging_face 🤗
face_with_hand_over_mouth 🤭 shushing_face 🤫 thinking_face 🤔 saluting_face 🫡 zipper_mouth_face 🤐
face_with_raised_eyebrow 🤨 neutral_face 😐 expressionless 😑 no_mouth 😶 smirk 😏 unamused 😒
face_with_rolling_eyes 🙄 grimacing 😬 lying_face 🤥 relieved 😌 pensive 😔 sleepy 😪 drooling_face 🤤 sleeping 😴
mask 😷 face_with_thermometer 🤒 face_with_head_bandage 🤕 nauseated_face 🤢 face_vomiting 🤮 sneezing_face 🤧
hot_face 🥵 cold_face 🥶 woozy_face 🥴 dizzy_face 😵 exploding_head 🤯 face_with_cowboy_hat 🤠 partying_face 🥳
sunglasses 😎 nerd_face 🤓 face_with_monocle 🧐 confused 😕 worried 😟 slightly_frowning_face 🙁
white_frowning_face ☹️ open_mouth 😮 hushed 😯 astonished 😲 flushed 😳 pleading_face 🥺 frowning 😦 anguished 😧
fearful 😨 cold_sweat 😰 disappointed_relieved 😥 cry 😢 sob 😭 scream 😱 confounded 😖 persevere 😣
disappointed 😞 sweat 😓 weary 😩 tired_face 😫 yawning_face 🥱 triumph 😤 rage 😡 angry 😠
face_with_symbols_on_mouth 🤬 smiling_imp 😈 imp 👿 skull 💀 skull_and_crossbones ☠️ hankey 💩 poop 💩
clown_face 🤡 ghost 👻 alien 👽 space_invader 👾 robot_face 🤖 smiley_cat 😺 smile_cat 😸 joy_cat 😹
heart_eyes_cat 😻 scream_cat 🙀 crying_cat_face 😿 see_no_evil 🙈 hear_no_evil 🙉 speak_no_evil 🙊
kiss 💋 love_letter 💌 cupid 💘 sparkling_heart 💖 heartpulse 💗 heartbeat 💓 two_hearts 💕 broken_heart 💔
heart ❤️ orange_heart 🧡 yellow_heart 💛 green_heart 💚 blue_heart 💙 purple_heart 💜 black_heart 🖤
white_heart 🤍 100 💯 anger 💢 boom 💥 collision 💥 dizzy 💫 sweat_drops 💦 dash 💨 speech_balloon 💬
thought_balloon 💭 zzz 💤 eyes 👀 brain 🧠 speaking_head_in_silhouette 🗣️ bust_in_silhouette 👤
busts_in_silhouette 👥 footprints 👣 handshake 🤝 dog 🐶 cat 🐱 mouse 🐭 bear 🐻 panda_face 🐼 monkey_face 🐵
unicorn_face 🦄 bee 🐝 bug 🐛 snail 🐌 snake 🐍 turtle 🐢 octopus 🐙 penguin 🐧 bird 🐦 chicken 🐔 whale 🐳
dolphin 🐬 fish 🐟 elephant 🐘 cow 🐮 pig 🐷 frog 🐸 tiger 🐯 rabbit 🐰 fox_face 🦊 wolf 🐺 owl 🦉 sloth 🦥
dragon 🐉 t-rex 🦖 bouquet 💐 cherry_blossom 🌸 rose 🌹 sunflower 🌻 tulip 🌷 seedling 🌱 evergreen_tree 🌲
palm_tree 🌴 cactus 🌵 herb 🌿 four_leaf_clover 🍀 maple_leaf 🍁 mushroom 🍄 apple 🍎 banana 🍌 watermelon 🍉
strawberry 🍓 lemon 🍋 peach 🍑 avocado 🥑 hot_pepper 🌶️ pizza 🍕 hamburger 🍔 fries 🍟 taco 🌮 burrito 🌯
popcorn 🍿 bread 🍞 cheese_wedge 🧀 egg 🥚 bacon 🥓 sushi 🍣 ramen 🍜 rice 🍚 cookie 🍪 cake 🍰 birthday 🎂
doughnut 🍩 icecream 🍦 chocolate_bar 🍫 coffee ☕ tea 🍵 beer 🍺 beers 🍻 wine_glass 🍷 cocktail 🍸
champagne 🍾 clinking_glasses 🥂 earth_africa 🌍 earth_americas 🌎 earth_asia 🌏 world_map 🗺️ house 🏠
office 🏢 airplane ✈️ rocket 🚀 helicopter 🚁 ship 🚢 anchor ⚓ car 🚗 taxi 🚕 bus 🚌 train 🚋 bike 🚲
construction 🚧 rotating_light 🚨 traffic_light 🚥 hourglass ⌛ hourglass_flowing_sand ⏳ watch ⌚ alarm_clock ⏰
stopwatch ⏱️ sunny ☀️ cloud ☁️ partly_sunny ⛅ umbrella ☔ zap ⚡ snowflake ❄️ snowman ⛄ fire 🔥 droplet 💧
ocean 🌊 rainbow 🌈 star ⭐ star2 🌟 sparkles ✨ moon 🌔 crescent_moon 🌙 new_moon_with_face 🌚
jack_o_lantern 🎃 christmas_tree 🎄 fireworks 🎆 sparkler 🎇 balloon 🎈 tada 🎉 confetti_ball 🎊 gift 🎁 ribbon 🎀
trophy 🏆 medal 🏅 first_place_medal 🥇 second_place_medal 🥈 third_place_medal 🥉 soccer ⚽ basketball 🏀
football 🏈 baseball ⚾ tennis 🎾 dart 🎯 video_game 🎮 game_die 🎲 jigsaw 🧩 art 🎨 guitar 🎸 musical_note 🎵
notes 🎶 headphones 🎧 microphone 🎤 film_projector 📽️ clapper 🎬 crown 👑 gem 💎 eyeglasses 👓 tophat 🎩
bell 🔔 no_bell 🔕 loudspeaker 📢 mega 📣 iphone 📱 phone ☎️ telephone_receiver 📞 battery 🔋 computer 💻
desktop_computer 🖥️ printer 🖨️ keyboard ⌨️ floppy_disk 💾 cd 💿 camera 📷 video_camera 📹 tv 📺 mag 🔍
mag_right 🔎 bulb 💡 flashlight 🔦 book 📖 books 📚 notebook 📓 newspaper 📰 bookmark 🔖 moneybag 💰 dollar 💵
credit_card 💳 chart 💹 email 📧 envelope ✉️ incoming_envelope 📨 inbox_tray 📥 outbox_tray 📤 package 📦
mailbox 📫 pencil2 ✏️ memo 📝 pencil 📝 briefcase 💼 file_folder 📁 open_file_folder 📂 date 📅 calendar 📆
clipboard 📋 bar_chart 📊 chart_with_upwards_trend 📈 chart_with_downwards_trend 📉 pushpin 📌
round_pushpin 📍 paperclip 📎 link 🔗 scissors ✂️ wastebasket 🗑️ lock 🔒 unlock 🔓 key 🔑 hammer 🔨
hammer_and_wrench 🛠️ wrench 🔧 gear ⚙️ nut_and_bolt 🔩 microscope 🔬 telescope 🔭 satellite_antenna 📡 pill 💊
syringe 💉 door 🚪 warning ⚠️ no_entry ⛔ no_entry_sign 🚫 x ❌ negative_squared_cross_mark ❎
heavy_check_mark ✔️ white_check_mark ✅ ballot_box_with_check ☑️ question ❓ grey_question ❔ exclamation ❗
heavy_exclamation_mark ❗ bangbang ‼️ interrobang ⁉️ heavy_plus_sign ➕ heavy_minus_sign ➖ arrow_up ⬆️
arrow_down ⬇️ arrow_left ⬅️ arrow_right ➡️ arrow_upper_right ↗️ arrow_lower_right ↘️ arrows_counterclockwise 🔄
recycle ♻️ back 🔙 soon 🔜 top 🔝 new 🆕 ok 🆗 up 🆙 cool 🆒 free 🆓 sos 🆘 red_circle 🔴 large_blue_circle 🔵
large_orange_circle 🟠 large_yellow_circle 🟡 large_green_circle 🟢 large_purple_circle 🟣 white_circle ⚪
black_circle ⚫ large_green_square 🟩 large_red_square 🟥 white_large_square ⬜ black_large_square ⬛
checkered_flag 🏁 triangular_flag_on_post 🚩 rainbow-flag 🏳️‍🌈 pirate_flag 🏴‍☠️
one 1️⃣ two 2️⃣ three 3️⃣ four 4️⃣ five 5️⃣ six 6️⃣ seven 7️⃣ eight 8️⃣ nine 9️⃣ keycap_ten 🔟 zero 0️⃣
"""

_TONED = """
+1 👍 thumbsup 👍 -1 👎 thumbsdown 👎 ok_hand 👌 wave 👋 raised_back_of_hand 🤚 hand ✋ raised_hand ✋
spock-hand 🖖 pinching_hand 🤏 v ✌️ crossed_fingers 🤞 hand_with_index_and_middle_fingers_crossed 🤞
i_love_you_hand_sign 🤟 the_horns 🤘 sign_of_the_horns 🤘 call_me_hand 🤙 point_left 👈 point_right 👉
point_up_2 👆 middle_finger 🖕 point_down 👇 point_up ☝️ fist ✊ facepunch 👊 punch 👊 left-facing_fist 🤛
right-facing_fist 🤜 clap 👏 raised_hands 🙌 open_hands 👐 palms_up_together 🤲 pray 🙏 writing_hand ✍️
nail_care 💅 selfie 🤳 muscle 💪 ear 👂 nose 👃 baby 👶 boy 👦 girl 👧 man 👨 woman 👩 older_man 👴
older_woman 👵 bow 🙇 no_good 🙅 ok_woman 🙆 raising_hand 🙋 face_palm 🤦 facepalm 🤦 shrug 🤷
information_desk_person 💁 dancer 💃 man_dancing 🕺 runner 🏃 running 🏃 walking 🚶 surfer 🏄 swimmer 🏊
bicyclist 🚴 superhero 🦸 mage 🧙 santa 🎅 princess 👸 cop 👮
"""


def _table(lines: str) -> dict[str, str]:
    words = lines.split()
    return dict(zip(words[::2], words[1::2], strict=True))


_WITH_TONE = _table(_TONED)
CHARACTERS = _table(_PLAIN) | _WITH_TONE
"""Names to characters."""
TONED = frozenset(_WITH_TONE)
"""Names whose character may carry a skin tone."""
